"""YAML files of the configuration, which Hydra reads: what is wrong with one that it cannot."""

from pathlib import Path
from traceback import walk_tb

from fastadasp.files.text import FileError, short
from fastadasp.files.yaml_text import read_yaml


def problem(error: BaseException) -> str | None:
    """The message for an error that Hydra met while it loaded a YAML file; None for an error from elsewhere.

    Hydra lets the YAML library's, the decoder's and Python's own errors through, most of which do not name the file.
    """
    file = next(
        (
            frame.f_locals["full_path"]
            for frame, _ in walk_tb(error.__traceback__)
            if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals
        ),
        None,
    )
    if file is None:
        return None
    try:
        read_yaml(Path(file))
    except FileError as found:
        return str(found)
    return f"{short(file)}: cannot be used as a configuration: {short(error.__cause__ or error, 300)}"
