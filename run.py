"""Run a speech language model with token reduction on a task: `python run.py task=sqa merge.ratio=0.3`."""

import sys

from fastadasp.cli.run import main

if __name__ == "__main__":
    main(sys.argv[1:])
