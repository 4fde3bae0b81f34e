"""Objects: boxes, classes and masks of things in a picture, found on HRNetV2p's pyramid."""
