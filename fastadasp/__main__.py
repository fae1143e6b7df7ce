"""`python -m fastadasp COMMAND ...` is `fastadasp COMMAND ...`."""

from fastadasp.cli.main import main

if __name__ == "__main__":
    main()
