"""Earlier spelling of `fastadasp data convert`: `python -m fastadasp.data.corpora NAME root=... --out FILE`."""

import sys

from fastadasp.cli.data import main

if __name__ == "__main__":
    main(["convert", *sys.argv[1:]])
