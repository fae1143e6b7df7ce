"""Decoding with static caches that share the prompt between beams, fit for CUDA graphs."""

from fastadasp.decoding.static import Generated, generate, obstacle

__all__ = ["Generated", "generate", "obstacle"]
