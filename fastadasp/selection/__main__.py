"""`python -m fastadasp.selection ...`, the earlier spelling of `fastadasp select ...`."""

import sys

from fastadasp.cli.select import main

if __name__ == "__main__":
    main(sys.argv[1:])
