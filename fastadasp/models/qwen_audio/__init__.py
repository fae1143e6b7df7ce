"""Qwen-Audio, the first generation (base and chat), as a current transformers model."""
