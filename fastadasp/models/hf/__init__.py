"""Speech language models of transformers that need no code of their own: what is looked up in them, and how."""

OPTIONS = {
    "audioflamingo3": "audio_flamingo_3",
    "musicflamingo": "music_flamingo",
    "glmasr": "glm_asr_nano",
    "qwen3_asr": "qwen3_asr",
    "fun_asr_nano": "fun_asr_nano",
    "vibevoice_asr": "vibevoice_asr",
    "moss_transcribe_diarize": "moss_transcribe_diarize",
    "granite_speech": "granite_speech",
    "granite_speech_plus": "granite_speech_plus",
    "qwen2_5_omni": "qwen2_5_omni",
    "qwen3_omni_moe": "qwen3_omni",
    "phi4_multimodal": "phi4_multimodal",
    "voxtral": "voxtral",
}
"""The option of `conf/model` for each family that has prompts and limits of its own."""
