"""`python -m fastadasp.report ...`, the earlier spelling of `fastadasp report ...`."""

import sys

from fastadasp.cli.report import main

if __name__ == "__main__":
    main(sys.argv[1:])
