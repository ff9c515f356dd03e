"""The valid name that a misspelt one is nearest to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def hint(word: object, valid: Iterable[object]) -> str:
    """``"; did you mean 'vpn'?"`` for "vnp" among the ``valid`` names, "" where none is like it. Ends a sentence."""
    names = {str(name).casefold(): str(name) for name in valid}
    near = get_close_matches(str(word).casefold(), names, 1, 0.6)
    return f"; did you mean {names[near[0]]!r}?" if near else ""
