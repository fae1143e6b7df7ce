"""WavLLM (arXiv 2404.00656), the model of the paper's tables, as a native transformers model.

Whisper-large-v2 and WavLM-base listen in parallel, LLaMA-2-7B-chat answers at 12.5 audio tokens a second; LoRA weights
in its attention are gated by what the instruction asks for. `convert.py` reads the published fairseq checkpoint.
"""
