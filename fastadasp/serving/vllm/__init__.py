"""The plugin for vLLM. Only vLLM imports this folder; nothing else of the package imports vLLM."""

from fastadasp.serving.vllm.plugin import register

__all__ = ["register"]
