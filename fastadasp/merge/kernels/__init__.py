"""Triton kernels for CUDA devices; each has a plain torch counterpart that defines its result."""
