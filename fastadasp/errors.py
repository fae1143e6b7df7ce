"""Errors that a user can mend: shown as a message without a traceback."""


class InputError(ValueError):
    """Something given to the program is wrong: a setting, a file, a device.

    The message says what was given, where, what is allowed and what to do. Subclass it for a kind of input
    (`ConfigError`, an audio or manifest error); `run.py` prints the message alone and exits with status 1.
    """


class ConfigError(InputError):
    """One or several settings of the run are wrong; the message names each by its Hydra key."""


class UnsupportedError(InputError):
    """A model, or the way it was loaded, in which a method cannot work; the message says why and what can."""


class OutOfReachError(ConfigError):
    """A method cannot remove as much as was asked for; a grid notes that and goes on."""
