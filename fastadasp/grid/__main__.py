"""`python -m fastadasp.grid ...`, the earlier spelling of `fastadasp grid ...`."""

import sys

from fastadasp.cli.grid import main

if __name__ == "__main__":
    main(sys.argv[1:])
