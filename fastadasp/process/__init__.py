"""This process on its machine: signals, streams, cores, and the other processes of a run."""
