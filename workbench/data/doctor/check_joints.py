"""Checks of poses by themselves: files, gaps, order of joints, sides, axes, units."""

from __future__ import annotations

import numpy as np

from workbench.data.doctor import body_geometry
from workbench.data.doctor.case import Case
from workbench.data.doctor.checks import FINE, Finding, above, check
from workbench.types import Pose

#: Detours (see ``body_geometry.detour``) of right orders stay below these, by number of coordinates; foreshortening
#: brings joints together that no bone joins.
DETOUR = {3: 1.75, 2: 2.6}

#: Another reading of the same numbers is the right one where its bones are this much shorter.
GAIN = {3: 0.85, 2: 0.6}

#: Persons are between a toddler's and a giant's height, in metres.
HEIGHTS = (0.7, 2.6)
UNITS = {"millimetres": 1000.0, "centimetres": 100.0}


@check(
    "pose files",
    "Every pose file can be read. It has one pose for each frame of its video and one position for each joint of the "
    "schema.",
    tolerance=0.02,
)
def pose_files(case: Case) -> Finding | None:
    if case.pose_problem:
        return Finding(case.pose_problem)
    poses = [pose for pose in (case.pose, case.pixels) if pose is not None]
    for pose in poses:
        if pose.joints.shape[1] != case.frames:
            text = f"{pose.joints.shape[1]} poses for {case.frames} frames"
            return Finding(text, abs(pose.joints.shape[1] - case.frames))
    return FINE if poses else None


@check(
    "frames of poses",
    "A file of 2D poses shows the frame of each pose. If no frame is called 0 and nothing else decides, zero-padded "
    "frame numbers are assumed to count from 1, as in ffmpeg. If this is wrong, all poses are one frame early. A "
    "frame called 0, or a table of all images, decides.",
    severity="warning",
)
def numbered(case: Case) -> Finding | None:
    if case.pixels is None:
        return None
    return Finding(case.doubt) if case.doubt else FINE


@check(
    "flat poses without video",
    "2D poses without a video are in pixels. Relative coordinates cannot be converted to pixels without the size of "
    "the picture: x and y then have different units, and bodies look too narrow by the aspect ratio of the picture.",
)
def flat_units(case: Case) -> Finding | None:
    if case.pixels is None or case.filmed:
        return None
    points = case.pixels.joints[np.isfinite(case.pixels.joints).all(axis=3)]
    if not len(points):
        return None
    size = float(np.abs(points).max())
    return Finding(f"coordinates go up to {size:.2f}: shares of the picture and no pixels?", 1) if size <= 2 else FINE


@check(
    "clips without poses",
    "If some clips have poses, all have. Systems that read poses leave out the other clips.",
    tolerance=0.02,
)
def without(case: Case) -> Finding | None:
    if case.dataset.skeleton is None or (case.info is None and case.filmed) or case.pose_problem:
        return None
    any_joint = any(p is not None and np.isfinite(p.joints).any() for p in (case.pose, case.pixels))
    return FINE if any_joint else Finding("no joint is known in any frame")


@check(
    "gaps in poses",
    "A person is detected in most frames. Gaps are filled from the poses before and after.",
    severity="warning",
    reads="body",
)
def gaps(pose: Pose) -> Finding | None:
    empty = ~np.isfinite(pose.joints).any(axis=(0, 2, 3))
    share = float(empty.mean())
    return above(0.3, share, f"nobody in {share:.0%} of the frames")


@check(
    "zeros for missing joints",
    "A joint that is not detected is missing (NaN). A network takes a 0 for a position.",
    tolerance=0.02,
    reads="body",
)
def zeros(pose: Pose) -> Finding | None:
    at_zero = (pose.joints == 0).all(axis=3)
    # Coordinates that count from the hips have one joint at 0.
    share = float((at_zero.sum(axis=2) > 1).mean())
    return above(0.02, share, f"several joints at exactly 0 in {share:.0%} of the poses")


@check(
    "frozen poses",
    "Poses change over time. Constant poses were copied from one frame to the others.",
    severity="warning",
    reads="body",
)
def frozen(pose: Pose) -> Finding | None:
    if pose.joints.shape[1] < 4:
        return None
    unchanged = (pose.joints[:, 1:] == pose.joints[:, :-1]).all(axis=(2, 3))
    finite = np.isfinite(pose.joints[:, 1:]).all(axis=(2, 3))
    share = float(unchanged[finite].mean()) if finite.any() else 0.0
    return above(0.5, share, f"{share:.0%} of the poses are exactly those of the frame before")


@check(
    "order of joints",
    "Neighbours in the schema are neighbours in the body: in the right order, bones are short. This check detects "
    "another schema, another order, and coordinates that are stored by axis and read by joint.",
    tolerance=0.05,
    reads="body",
)
def order(pose: Pose) -> Finding | None:
    size = pose.joints.shape[3]
    value = body_geometry.detour(pose.joints, pose.skeleton)
    if not np.isfinite(value):
        return None
    reading, better = body_geometry.better_reading(pose.joints, pose.skeleton, value, GAIN[size])
    # Of flat poses another reading may win by chance, but not where this one is good.
    if reading and (size == 3 or value > 0.75 * DETOUR[2]):
        return Finding(f"bones are {value:.1f} times the shortest tree; read as {reading}: {better:.1f}", value)
    if size == 3 and value > DETOUR[3]:
        return Finding(f"bones are {value:.1f} times the shortest tree, 1.0 to 1.5 is usual", value)
    return FINE


@check(
    "order of flat joints",
    "The same check as the order of joints, for 2D poses without a better reading. Foreshortening also moves joints "
    "together that no bone connects.",
    severity="warning",
    tolerance=0.05,
    reads="body",
)
def flat_order(pose: Pose) -> Finding | None:
    if pose.joints.shape[3] != 2:
        return None
    value = body_geometry.detour(pose.joints, pose.skeleton)
    return above(DETOUR[2], value, f"bones are {value:.1f} times the shortest tree, 1.0 to 2.0 is usual")


@check(
    "order along limbs",
    "The wrist is farther from the shoulder than the elbow, at least if the arm is straight. The same holds for "
    "ankle, knee and hip.",
    tolerance=0.3,
    reads="pose",
)
def limbs(pose: Pose) -> Finding | None:
    value, name = body_geometry.folded(pose.joints, pose.skeleton)
    if not np.isfinite(value):
        return None
    return (
        Finding(f"{name} at most {1 / value:.2f} times as far as the joint between them", value) if value > 1 else FINE
    )


@check(
    "bones of one length",
    "Bones do not change their length from frame to frame. A bone that does is badly detected, or is not a bone.",
    severity="warning",
    reads="pose",
)
def rigid(pose: Pose) -> Finding | None:
    value, name = body_geometry.stretch(pose.joints, pose.skeleton)
    return above(0.75, value, f"{name} changes its length by {value:.0%}")


@check(
    "both sides alike",
    "The bones of a limb have the same length on the left and on the right.",
    tolerance=0.05,
    reads="pose",
)
def alike(pose: Pose) -> Finding | None:
    value, name = body_geometry.lopsided(pose.joints, pose.skeleton)
    return above(1.7, value, f"{name} and the same on the other side differ by a factor of {value:.1f}")


@check(
    "left and right",
    "Toes, nose, knees and elbows show the front of a body, and so its left side. If this contradicts the names of "
    "the joints, left and right are exchanged, or an odd number of axes is reversed.",
    tolerance=0.1,
)
def sides(case: Case) -> Finding | None:
    if case.pose is None:
        return None
    value = body_geometry.handedness(case.pose.joints, case.pose.skeleton) * (-1 if case.dataset.mirrored else 1)
    if not np.isfinite(value) or abs(value) < 0.3:
        return None
    return Finding("left is where right should be, or an axis is turned round", -value) if value < 0 else FINE


@check(
    "sides that flip",
    "Left stays left from frame to frame.",
    severity="warning",
    reads="body",
)
def flipping(pose: Pose) -> Finding | None:
    share = body_geometry.flips(pose.joints, pose.skeleton)
    return above(0.03, share, f"left and right are exchanged between {share:.0%} of the frames")


@check(
    "axes",
    "People stand: y points up from hips to shoulders. Only few people lie, and only few cameras look down steeply.",
    tolerance=0.4,
    reads="pose",
)
def axes(pose: Pose) -> Finding | None:
    up = body_geometry.upward(pose.joints, pose.skeleton)
    if not np.isfinite(up).all():
        return None
    if up[1] > 0.45:
        return FINE
    axis = int(np.abs(up).argmax())
    return Finding(f"bodies extend along {'-' if up[axis] < 0 else ''}{'xyz'[axis]}, expected y", 1 - up[1])


@check(
    "in front of the camera",
    "z points away from the camera, so no person is at a negative z. (Poses relative to the hips are correct, too.)",
    tolerance=0.05,
    reads="pose",
)
def in_front(pose: Pose) -> Finding | None:
    depth = pose.joints[:, :, list(pose.skeleton.root), :].mean(axis=2)
    depth = depth[np.isfinite(depth).all(axis=2)]
    tall = body_geometry.height(pose.joints, pose.skeleton)
    # Nothing is said of poses whose origin lies in the body.
    if not len(depth) or np.median(np.linalg.norm(depth, axis=1)) < 0.3 * tall:
        return None
    behind = float((depth[:, 2] <= 0).mean())
    return above(0.1, behind, f"behind the camera in {behind:.0%} of the poses")


@check("units", "Poses are in metres: people are between 0.7 and 2.6 tall.", tolerance=0.05, reads="pose")
def units(pose: Pose) -> Finding | None:
    tall = body_geometry.height(pose.joints, pose.skeleton)
    if not np.isfinite(tall) or HEIGHTS[0] <= tall <= HEIGHTS[1]:
        return FINE if np.isfinite(tall) else None
    guess = [name for name, factor in UNITS.items() if HEIGHTS[0] <= tall / factor <= HEIGHTS[1]]
    hint = f": {guess[0]}?" if guess else ""
    return Finding(f"a person is {tall:.3g} tall{hint}", abs(np.log(max(tall, 1e-9) / 1.7)))
