"""Paired tests between finished runs: `fastadasp compare`."""
