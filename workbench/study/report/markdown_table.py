"""A table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """Below ``heads``, which may be empty, the cells of each row; of ``numbers`` all columns but the first are flush
    right."""
    rule = ["---", *["---:" if numbers else "---"] * (len(heads) - 1)]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in cells) for cells in (heads, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)
