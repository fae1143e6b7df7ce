"""Token reduction where a model is served: methods that act before the decoder, inside vLLM."""
