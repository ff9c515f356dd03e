"""UCF101: 13,320 clips of 101 actions from YouTube, in 25 groups a class (Soomro et al., 2012).

Layout: ``<Class>/v_<Class>_gNN_cNN.avi`` anywhere below the root. Clips of one group are cut from one video.

Protocols ``split1`` to ``split3``, top-1, averaged over the three: groups 1-7, 8-14 or 15-21 are tested, all others
train, which is what the official lists say: 9,537 and 3,783, 9,586 and 3,734, 9,624 and 3,696 clips. No validation
part.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.sources import official

STEM = r"v_([A-Za-z]+)_g(\d\d)_c(\d\d)"
UCF101 = official.PublicSet("ucf101", ("split1", "split2", "split3"))


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder of the classes' folders, data/ucf101 where it is None."""
    folder, protocol = UCF101.locate(root, protocol)
    classes = list(facts.classes("ucf101").values())
    # The class HandstandPushups has files that spell it HandStandPushups.
    spelled = {name.lower(): label for label, name in enumerate(classes)}
    videos = official.by_name(official.walk(folder, official.VIDEOS))
    matches = official.matching(videos, STEM, "ucf101", folder)
    official.left_out("ucf101", [s for s, m in matches.items() if m[1].lower() not in spelled], "are of no known class")
    rows = []
    for stem, match in matches.items():
        if match[1].lower() in spelled:
            label, group = spelled[match[1].lower()], int(match[2])
            part = "test" if (group - 1) // 7 + 1 == int(protocol[5]) else "train"
            subject = f"{classes[label]} {match[2]}"
            rows.append({"id": stem, "label": label, "part": part, "subject": subject})
    return UCF101.clips(rows, classes, protocol, split, videos)
