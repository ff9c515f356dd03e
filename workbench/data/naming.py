"""Who performs in a video, as file names tell it: patterns that data sets use, or a part of the name that says so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

#: What data sets call the performer: S001C001P003R001A007 (NTU), and person01, subject_3, s07, p12 set off by _ - . or
#: blanks (KTH, MSRDailyActivity3D, Toyota Smarthome).
PATTERNS = (
    r"^S\d{3}C\d{3}P(?P<subject>\d{3})R\d{3}A\d{3}",
    r"(?:^|[_\-. ])(?:person|subject|subj|sub|actor|user|s|p)[_-]?(?P<subject>\d+)(?=$|[_\-. ])",
)
#: Every so many names of a class have to be explained, and every so many performers have to be in several classes.
SHARE = 0.8


def find(stems: Sequence[str], classes: Sequence[str]) -> tuple[list[str], str] | None:
    """(subject of each file, how it was found) from the files' names without suffix and their classes; None where
    nothing in the names looks like one."""
    for pattern in PATTERNS:
        subjects = by_pattern(stems, pattern)
        if all(subjects) and _plausible(subjects, classes):
            return subjects, f"the pattern {pattern}"
    for place, words in ((0, "first"), (-1, "last")):
        subjects = [_words(stem, name)[place] for stem, name in zip(stems, classes, strict=True)]
        # A number may as well count the clips of a class.
        if all(subjects) and not any(word.isdigit() for word in subjects) and _plausible(subjects, classes):
            return subjects, f"the {words} word of each file name that is not the class"
    return None


def by_pattern(stems: Sequence[str], pattern: str) -> list[str]:
    """What the group "subject" (or else the first, or all) of a regular expression finds in each name, "" for nothing;
    ValueError if it is no regular expression."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    group = "subject" if "subject" in expression.groupindex else min(expression.groups, 1)
    found = [expression.search(stem) for stem in stems]
    return [(match.group(group) or "") if match else "" for match in found]


def _words(stem: str, name: str) -> list[str]:
    """The words of a file's name but for those that are its class; [""] if none is left."""
    own = re.sub(r"[\W_]+", "", name).lower()
    words = filter(None, re.split(r"[_\-. ]+", stem))
    left = [word for word in words if own not in (word.lower(), word.lower().rstrip("0123456789"))]
    return left or [""]


def _plausible(subjects: Sequence[str], classes: Sequence[str]) -> bool:
    """Two performers at least, with two clips on average, nearly all of them in several classes."""
    seen = defaultdict(set)
    for subject, name in zip(subjects, classes, strict=True):
        seen[subject].add(name)
    enough = 2 <= len(seen) <= len(subjects) / 2
    return enough and sum(len(names) > 1 for names in seen.values()) >= SHARE * len(seen)
