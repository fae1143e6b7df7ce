"""The short way from Python: load a model, and ask it about recordings, without a configuration file."""
