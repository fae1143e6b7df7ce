"""The libraries that turn a file's bytes into samples, block by block."""
