"""What the motion side hands to the picture side: a body that moves, and the things it moves.

World space: metres, x right, y up (the floor is y = 0), z towards the front of the room. A subject stands near the
origin and faces +z, so its own left hand is at +x.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Prop:
    """A thing in the room. kind names its geometry (actions/playing/props.py has sizes and origins, things/shapes.py
    the solids); transform float64 [T,4,4] maps its own coordinates (metres, y up) to the world. ``look`` overrides
    colours, fill or sizes by name."""

    kind: str
    transform: np.ndarray
    look: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Performance:
    """One action performed by one subject.

    joints float64 [T,25,3] world metres in kinect_v2 order; props that move or that the action needs; furniture as
    props that stand still (a chair to sit on, a table to work at). What makes the label what it is:
    truth_joints bool [25], truth_props indices into ``props``, interval (start, end) frame numbers, end exclusive.
    head float64 [T,3,3] is the head's rotation (columns: its left, up, front in the world); None if it is not known.
    A prop whose transform is NaN in a frame is out of sight there. carries: the idle hand holds the offered rival.
    """

    action: str
    joints: np.ndarray
    props: tuple[Prop, ...]
    furniture: tuple[Prop, ...]
    truth_joints: np.ndarray
    truth_props: tuple[int, ...]
    interval: tuple[int, int]
    head: np.ndarray | None = None
    carries: bool = False
