"""`python -m farandole`: the same program as the command `farandole`."""

import sys

from farandole.cli import main

if __name__ == "__main__":
    sys.exit(main())
