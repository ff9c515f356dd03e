"""HMDB51: 6,766 clips of 51 actions from films and the web (Kuehne et al., ICCV 2011).

Layout: ``<class>/<name>.avi`` and the official lists ``testTrainMulti_7030_splits/<class>_test_split{1,2,3}.txt`` (each
line a name and 1 for training, 2 for testing, 0 for neither) anywhere below the root.

Protocols ``split1`` to ``split3``, top-1, averaged over the three: 70 clips a class train (3,570), 30 are tested
(1,530). No validation part.
"""

from __future__ import annotations

import re
from pathlib import Path

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.files.text import Damage, load
from workbench.data.sources import official

HMDB51 = official.PublicSet("hmdb51", ("split1", "split2", "split3"))
PARTS = {"0": "unused", "1": "train", "2": "test"}


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with clips and lists, data/hmdb51 where it is None."""
    folder, protocol = HMDB51.locate(root, protocol)
    classes = list(facts.classes("hmdb51").values())
    videos = official.by_name(official.walk(folder, official.VIDEOS))
    listed = lists(folder, int(protocol[5]))
    official.left_out("hmdb51", set(listed) - set(videos), "are in the lists but not in the folder")
    rows = [
        {"id": name, "label": classes.index(label), "part": part}
        for name, (label, part) in listed.items()
        if name in videos
    ]
    return HMDB51.clips(rows, classes, protocol, split, videos)


def lists(root: Path, number: int) -> dict[str, tuple[str, str]]:
    """(class, part) by clip in the lists of split ``number``; ValueError naming list and line where one is wrong."""
    parts, classes = {}, facts.classes("hmdb51").values()
    for path in official.walk(root, (f"_test_split{number}.txt",)):
        label = re.sub(rf"_test_split{number}\.txt$", "", path.name)
        if label not in classes:
            raise Damage(f"{path} is a list of {label!r}, which is no class of HMDB51")
        for line, text in enumerate(load(path).decode("utf-8", "replace").splitlines(), 1):
            name, _, part = text.strip().rpartition(" ")
            if text.strip() and (part not in PARTS or not name):
                raise Damage(f"{path}, line {line}: expected a file name and 0, 1 or 2, got {text[:60]!r}")
            if name:
                parts[Path(name.strip()).stem] = (label, PARTS[part])
    if not parts:
        raise FileNotFoundError(f"{root} holds no <class>_test_split{number}.txt; they say which clip is for what")
    return parts
