"""What a student is told: plain text, and the same in a box in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

#: By outcome (right, not yet): a mark and two colours that read on white and on dark pages.
LOOKS = {True: ("✓", "#1a7f37"), False: ("→", "#b35900")}


@dataclass(frozen=True)
class Feedback:
    """The answer to a task or a question.

    title is a sentence; lines follow it, each a word in front ("right", "wrong", "hint", ...) and a sentence. function
    is the one that the lab goes on with: the student's own where it passed, else the library's; None of a question.
    """

    title: str
    passed: bool
    lines: tuple[tuple[str, str], ...] = ()
    function: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"  {word}: {sentence}" for word, sentence in self.lines)])

    def _repr_html_(self) -> str:
        mark, color = LOOKS[self.passed]
        rows = "".join(
            f'<tr><td style="text-align:left;vertical-align:top"><b>{escape(word)}</b></td>'
            f'<td style="text-align:left;white-space:normal">{escape(sentence)}</td></tr>'
            for word, sentence in self.lines
        )
        body = f'<table style="margin:4px 0 0">{rows}</table>' if rows else ""
        box = f"border-left:5px solid {color};padding:6px 12px;margin:4px 0;max-width:100ch"
        return f'<div class="wb-feedback" style="{box}"><b>{mark} {escape(self.title)}</b>{body}</div>'
