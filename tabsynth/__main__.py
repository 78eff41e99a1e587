"""Run the command line as ``python -m tabsynth``."""

from tabsynth.cli.main import main

if __name__ == "__main__":
    main()
