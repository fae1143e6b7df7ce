"""Tables as LaTeX with booktabs, in the layout of the FastAdaSP paper: tasks side by side, amounts as columns."""

from collections.abc import Sequence
from itertools import groupby

from fastadasp.files.text import short
from fastadasp.report.blocks import Block, blocks
from fastadasp.report.layouts.entries import Entry, heading, rows
from fastadasp.report.tables import Table

SIDE_BY_SIDE = 2
"""Tasks in one table."""
PREAMBLE = "% \\usepackage{booktabs}, and in the text \\input{report.tex}\n"
_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"},
    **{"<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}"},
}


def latex(tables: Sequence[Table]) -> str:
    """All tables; those of one model whose blocks have the same columns stand side by side, two at a time."""
    parts = [block for table in tables for block in blocks(table) if block.rows]

    def place(block: Block) -> tuple[str, str, str, str]:
        table = block.table
        return block.resource.name, table.model, table.conditions, repr(block.columns)

    found = []
    for _, members in groupby(sorted(parts, key=place), key=place):
        alike = list(members)
        found += [_wide(alike[start : start + SIDE_BY_SIDE]) for start in range(0, len(alike), SIDE_BY_SIDE)]
    return PREAMBLE + "\n".join(found)


def plain(name: str, most: int = 100) -> str:
    """`name` as text in LaTeX."""
    return "".join(_SIGNS.get(sign, sign) for sign in short(name, most))


def _wide(alike: Sequence[Block]) -> str:
    first, width = alike[0], len(alike[0].columns)
    heads = [f"\\multicolumn{{{width}}}{{c}}{{{_head(block)}}}" for block in alike]
    rules = [f"\\cmidrule(lr){{{2 + i * width}-{1 + (i + 1) * width}}}" for i in range(len(alike))]
    amounts = [plain(heading(column)) for column in first.columns] * len(alike)
    entries = {id(block): dict(rows(block)) for block in alike}
    names = list(dict.fromkeys(name for block in alike for name in entries[id(block)]))
    lines = []
    for name in names:
        cells = [one for block in alike for one in entries[id(block)].get(name, [None] * width)]
        lines.append(" & ".join([plain(name), *map(_written, cells)]) + r" \\")
    return "\n".join(
        [
            r"\begin{table*}[t]",
            r"\centering\small",
            rf"\begin{{tabular}}{{l{'r' * width * len(alike)}}}",
            r"\toprule",
            " & ".join(["", *heads]) + r" \\",
            *rules,
            " & ".join(["Method", *amounts]) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_caption(first)}}}",
            r"\end{table*}",
            "",
        ]
    )


def _head(block: Block) -> str:
    arrow = r"$\uparrow$" if block.table.higher_is_better else r"$\downarrow$"
    return f"{plain(block.table.task.upper())}: {plain(block.table.title)} {arrow}"


def _caption(block: Block) -> str:
    conditions = f" ({plain(block.table.conditions, 300)})" if block.table.conditions else ""
    return (
        f"Scores of {plain(block.table.model)}{conditions} by the share of {plain(block.unit)}. "
        "Bold: best of a column; $\\dagger$: worse than full tokens in a paired bootstrap; "
        "in parentheses with $\\times$: the share really saved by a run that missed its amount, which is never best."
    )


def _written(one: Entry | None) -> str:
    if one is None:
        return ""
    value = rf"\textbf{{{one.value:.1f}}}" if one.best else f"{one.value:.1f}"
    missed = rf" ($\times$\,{100 * (one.reached or 0):.1f}\,\%)" if one.missed else ""
    return value + (r"$^\dagger$" if one.worse else "") + missed
