"""The structure of audio files: which format a file has, whether its end is there, and what a decoder needs to read it.

Decoders alone do not tell: libsndfile and FFmpeg return what is left of a cut-off file without an error.
"""
