"""Speech language models of transformers that need no code of their own: what is looked up in them, and how."""
