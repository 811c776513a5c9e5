"""Run `python -m unitask`, the same as the command `unitask`."""

from unitask.cli import main

if __name__ == "__main__":
    main()
