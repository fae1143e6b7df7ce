"""Names that others chose, made fit for Markdown and for files."""

import html
import re

from fastadasp.files.text import short

LONGEST = 100
"""Characters of a name in a table or of a file."""

_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Signs that Markdown or HTML would read; an underscore inside a word is none of them."""

_PLAIN = re.compile(rf"[\w ./:@+=,()-]{{1,{LONGEST}}}")


def escaped(name: str, most: int = LONGEST) -> str:
    """`name` as text in Markdown, in a table too: no markup, no HTML, one line of about `most` characters."""
    return _MARKDOWN.sub(lambda sign: f"\\{sign[0]}", html.escape(short(name, most), quote=False))


def code(name: str) -> str:
    """`name` as code in Markdown, outside of tables; as escaped text where it holds signs that names hardly have."""
    return f"`{name}`" if _PLAIN.fullmatch(name) else escaped(name)


def in_picture(name: str) -> str:
    """`name` as matplotlib writes it, which would read what stands between two dollar signs as a formula."""
    return short(name, LONGEST).replace("$", r"\$")


def file_name(name: str) -> str:
    """`name` as that of a file in the folder at hand: letters, digits, `_`, `-` and single dots inside."""
    plain = re.sub(r"\.{2,}", ".", re.sub(r"[^\w.-]+", "_", name)).strip("._-")
    return plain.encode()[:LONGEST].decode(errors="ignore") or "unnamed"
