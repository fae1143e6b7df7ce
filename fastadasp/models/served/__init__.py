"""A model behind a server of the OpenAI chat-completions interface: vLLM, SGLang, llama.cpp, OpenAI and others.

`adapter` holds the settings and the prompts, `contact` finds the model, `client` asks, `pace` keeps to limits,
`replies` reads what comes back, and `troubles` says what a failure means: ask again, give up this clip, or end the run.
"""
