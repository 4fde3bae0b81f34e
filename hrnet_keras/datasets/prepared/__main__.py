"""Builds shards: `python -m hrnet_keras.datasets.prepared lip --manual_dir=/data/archives --data_dir=/data/tfds`."""

import argparse

from hrnet_keras.datasets.prepared.building import NAMES, build


def main(arguments=None):
    """Reads the command line, builds, and prints where the shards lie."""
    parser = argparse.ArgumentParser(
        prog="python -m hrnet_keras.datasets.prepared", description="From the archives of a data set to its shards."
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--manual_dir", required=True, help="folder of the archives as they were downloaded")
    parser.add_argument("--data_dir", required=True, help="folder that gets the shards")
    parser.add_argument("--overwrite", action="store_true", help="build again what is there")
    options = parser.parse_args(arguments)
    try:
        print(build(**vars(options)))
    except (AssertionError, ImportError, OSError, ValueError) as error:  # AssertionError: TFDS on archives that lack
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
