"""Answers that are judged elsewhere, by a language model or by people: written out, and read back."""
