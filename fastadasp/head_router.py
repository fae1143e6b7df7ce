"""`python -m fastadasp.head_router ...`, the earlier spelling of `fastadasp heads ...`."""

import sys

from fastadasp.cli.heads import main

if __name__ == "__main__":
    main(sys.argv[1:])
