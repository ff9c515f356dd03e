"""Who performs in a video, as file names tell it: patterns that data sets use, or a part of the name that says so.
What only counts (clip, take, camera, repetition, version) is nobody's name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

#: What data sets call the performer: S001C001P003R001A007 (NTU), and person01, subject_3, s07, p12 set off by _ - . or
#: blanks (KTH, MSRDailyActivity3D, Toyota Smarthome).
PATTERNS = (
    r"^S\d{3}C\d{3}P(?P<subject>\d{3})R\d{3}A\d{3}",
    r"(?:^|[_\-. ])(?:person|subject|subj|sub|actor|user|s|p)[_-]?(?P<subject>\d+)(?=$|[_\-. ])",
)
#: Every so many names of a class have to be explained, and every so many performers have to be in several classes.
SHARE = 0.8

#: What says how something was filmed, stored or tried, and not who is seen; with or without a number behind it.
_NOBODY = re.compile(
    "c|cam|camera|kamera|view|angle|v|ver|version|take|t|trial|try|attempt|rep|repetition|r|run|clip|shot|scene|seq|"
    "sequence|part|pt|segment|seg|video|vid|mov|movie|img|image|pic|dsc|gopr|gx|gh|pxl|screen|rec|recording|session|"
    "set|exp|n|no|nr|num|number|id|idx|i|k|x|f|fr|frame|copy|final|edit|edited|cut|trim|trimmed|raw|new|old|test|train|"
    "val|front|back|side|left|right|top|frontal|lateral|slow|fast|indoor|outdoor|inside|outside|day|night|hd|sd|uhd|hdr|"
    "low|high|rgb|depth|ir|flow|mirror|mirrored|flip|flipped|good|bad|g|group|film"
)
_SPLIT = re.compile(r"[_\-. ]+")
_COUNTER = re.compile(r"([^\W\d_]*)(\d+)([^\W\d_]?)")


@dataclass(frozen=True)
class Performers:
    """names of the performer of each file; how they were found; certain: whether a pattern says that it is a person,
    and not where the word stands."""

    names: list[str]
    how: str
    certain: bool


def find(stems: Sequence[str], classes: Sequence[str]) -> Performers | None:
    """The performers by the files' names without suffix and their classes; None where nothing looks like one."""
    for pattern in PATTERNS:
        subjects = by_pattern(stems, pattern)
        if all(subjects) and _plausible(subjects, classes):
            return Performers(subjects, f"the pattern {pattern}", True)
    for position, ordinal in ((0, "first"), (-1, "last")):
        subjects = [_words(stem, name)[position] for stem, name in zip(stems, classes, strict=True)]
        if all(subjects) and not _counted(subjects) and _plausible(subjects, classes):
            return Performers(subjects, f"the {ordinal} word of each file name that is not the class", False)
    return None


def films(stems: Sequence[str], classes: Sequence[str]) -> list[str]:
    """What the film is called that each file looks cut from, or that other cameras took too: its class and its name but
    for a counter at the end ("c03", "cam2", "3"). The whole name where no other is left of it."""
    film_names = []
    for stem, name in zip(stems, classes, strict=True):
        words = _words(stem, name)
        cut = words[:-1] if len(words) > 1 and is_counter(words[-1]) else words
        film_names.append("/".join([name, *cut]) if any(cut) else f"{name}/{stem}")
    return film_names


def is_counter(word: str) -> bool:
    """Whether a word of a file's name counts or tells how something was filmed: "c01", "take1", "07", "HDR"."""
    match = _COUNTER.fullmatch(word)
    rest = match[1] if match else word
    return bool((match and not rest) or _NOBODY.fullmatch(rest.lower()))


def _counted(words: Sequence[str]) -> bool:
    """Whether the words are no names: each a counter, or all the same letters with different numbers."""
    matches = [match for word in words if (match := _COUNTER.fullmatch(word))]
    numbered = len(matches) == len(words) and len({match[1].lower() for match in matches}) == 1
    return numbered or any(is_counter(word) for word in words)


def by_pattern(stems: Sequence[str], pattern: str) -> list[str]:
    """What the group "subject" (or else the first, or all) of a regular expression finds in each name, "" for nothing;
    ValueError if it is no regular expression."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    group = "subject" if "subject" in expression.groupindex else min(expression.groups, 1)
    matches = [expression.search(stem) for stem in stems]
    return [(match.group(group) or "") if match else "" for match in matches]


def _words(stem: str, name: str) -> list[str]:
    """The words of a file's name but for those that are its class; [""] if none is left."""
    class_name = re.sub(r"[\W_]+", "", name).lower()
    words = filter(None, _SPLIT.split(stem))
    others = [word for word in words if class_name not in (word.lower(), word.lower().rstrip("0123456789"))]
    return others or [""]


def _plausible(subjects: Sequence[str], classes: Sequence[str]) -> bool:
    """Two performers at least, with two clips on average, nearly all of them in several classes."""
    classes_of = defaultdict(set)
    for subject, name in zip(subjects, classes, strict=True):
        classes_of[subject].add(name)
    enough = 2 <= len(classes_of) <= len(subjects) / 2
    return enough and sum(len(names) > 1 for names in classes_of.values()) >= SHARE * len(classes_of)
