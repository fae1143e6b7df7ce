"""Writing values so that Hydra's command line reads them as they are."""

import math
import re
from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_WORDS = ("null", "true", "false", "nan", "inf")
"""Words that Hydra reads as something else than text."""


def hydra_value(value: Any) -> str:
    """A value of a YAML file as the right side of `key=...`: texts with special signs are quoted, None becomes null.

    >>> hydra_value(["Say it, please.", None, 0.5])
    '["Say it, please.",null,0.5]'
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{hydra_value(key)}:{hydra_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    """A text, between double quotes where Hydra would read it as something else or not at all."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return QuotedString(text=text, quote=Quote.double).with_quotes()
