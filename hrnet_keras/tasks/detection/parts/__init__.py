"""What detectors are made of: one job per file, each exact to the reference programs."""
