"""Names that are the same, or look so: Unicode forms, capitals, blanks, letters of other alphabets."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

#: Cyrillic and Greek letters that look like Latin ones.
_LOOK = str.maketrans("аеорсухіјѕԁһνοΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТУХІЈЅ", "aeopcyxijsdhvoABEZHIKMNOPTYXABEKMHOPCTYXIJS")


def canonical(name: str) -> str:
    """``name`` in the one form (NFC) by which names are compared: an accent is the same however it was typed."""
    return unicodedata.normalize("NFC", name)


def merged(names: Iterable[str], first: Iterable[str] = ()) -> list[str]:
    """``names``, each as it was first spelled, in ``first`` or before in ``names``, where they are the same."""
    spelled: dict[str, str] = {}
    for name in first:
        spelled.setdefault(canonical(name), name)
    names = list(names)
    spelling = {name: spelled.setdefault(canonical(name), name) for name in dict.fromkeys(names)}
    return [spelling[name] for name in names]


def alike(name: str) -> str:
    """What is left of ``name`` without what is easily overlooked: capitals, kinds and number of blanks, blanks for
    underscores and hyphens between letters, invisible signs, letters that look like Latin ones."""
    text = unicodedata.normalize("NFKC", name.translate(_LOOK)).casefold()
    text = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cf", "Cc") or sign.isspace())
    return re.sub(r"[\s_]+|(?<=[^\W\d_])-(?=[^\W\d_])", " ", text).strip()


def near(names: Iterable[str]) -> list[list[str]]:
    """The groups of different names that are ``alike``, in the order in which they occur."""
    groups = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[alike(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def quoted(names: Sequence[str]) -> str:
    """``names`` so that they can be told apart: in quotes, signs beyond ASCII and blanks other than " " as codes."""
    return ", ".join(ascii(name) for name in names)


def readable(name: str) -> str:
    """A file's name that may hold bytes that are no UTF-8; those as codes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_text(name: str) -> bool:
    """Whether all bytes of a file's name are UTF-8, so that it can be written down."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)
