"""`python -m fastadasp.sweep ...`, the earlier spelling of `fastadasp sweep ...`."""

import sys

from fastadasp.cli.sweep import main

if __name__ == "__main__":
    main(sys.argv[1:])
