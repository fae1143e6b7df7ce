"""What a model wraps around its answer: tags, reasoning blocks, Markdown, LaTeX, full-width signs."""

import re
import unicodedata

TAG = re.compile(r"<\|[^|<>]*\|>")
"""Special tokens such as `<|endoftext|>`, in the notation of most tokenizers."""
_MARKUP_TAG = re.compile(
    r"(?!(?-i:<[A-Z]>))</?(?:s|b|i|u|p|br|em|strong|span|div|code|pre|sup|sub|ul|ol|li|h\d|html|body|text|answer|final|response|output|"
    r"result|audio|speech|assistant|user|system|bos|eos|pad|unk|think|thinking|reasoning)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THOUGHTS = re.compile(r".*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_COMMAND = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit)\s*\{([^{}]*)\}")
_FORMULA = re.compile(r"\$\$?([A-Za-z(][^$\n]{0,40})\$\$?|\\[(\[]([^\n]{0,40}?)\\[)\]]")
_BOXES = (
    (re.compile(r"^\s*[-*]?\s*\[[xX]\]", re.MULTILINE), "\u2713 "),
    (re.compile(r"^\s*[-*]?\s*\[ \]", re.MULTILINE), "\u2717 "),
)
"""Boxes to tick, ticked or empty."""
_STRUCK = re.compile(r"~~[^~\n]+~~")
_EMPHASIS = re.compile(r"\*+|`+|(?<!\w)_{1,2}(?=\S)|(?<=\S)_{1,2}(?!\w)|^\s*#+\s", re.MULTILINE)
_OPTION_NAME = re.compile(r"\b(option|choice|answer)_(?=\w\b)", re.IGNORECASE)
_DASH = re.compile(r"(?<!\d)\s*[\u2013\u2014]\s*|\s*[\u2013\u2014]\s*(?!\d)")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})


def clean_answer(text: str) -> str:
    """The words of an answer to a choice task; lines stay apart, letters of full width become plain ones.

    Of several passages marked as the answer (`<answer>B</answer>`, `\\boxed{B}`) the last one is the answer. What
    stands in a reasoning block (`<think>...</think>`) is no part of it, and a block that never ends hides no answer.
    """
    text = without_thoughts(unicodedata.normalize("NFKC", text))
    marked = [match for pattern in (_BOXED, _MARKED) if (match := [m for m in pattern.findall(text) if m.strip()])]
    if marked:
        text = marked[0][-1]
    text = _COMMAND.sub(r"\1", _STRUCK.sub(" ", text))
    text = _FORMULA.sub(lambda match: f" {match[1] or match[2]} ", text)
    text = _MARKUP_TAG.sub(" ", TAG.sub(" ", text))
    for box, mark in _BOXES:
        text = box.sub(mark, text)
    text = _EMPHASIS.sub(" ", text.replace("`", " ")).translate(_APOSTROPHES)
    text = _OPTION_NAME.sub(r"\1 ", text)
    text = _DASH.sub(" - ", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def without_thoughts(text: str) -> str:
    """No reasoning block, and nothing of one that began in the prompt or never ends."""
    return _END_OF_THOUGHTS.sub(" ", _THOUGHTS.sub(" ", text))
