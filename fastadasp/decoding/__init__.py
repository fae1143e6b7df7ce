"""Decoding with static caches that share the prompt between beams, fit for CUDA graphs."""

from fastadasp.decoding.generate import Generated, generate, obstacle

__all__ = ["Generated", "generate", "obstacle"]
