"""``python -m placet.cli``: the same as ``placet``."""

from placet.cli import main

if __name__ == "__main__":
    main()
