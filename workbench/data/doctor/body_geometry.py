"""What a skeleton's own geometry says about how its file was read. Arrays float [M,T,V,D], missing joints NaN."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from workbench.media.skeletons import common_names, parents
from workbench.types import Skeleton

#: Frames of a clip that are looked at for what does not change from frame to frame.
LOOKS = 5


def complete(joints: np.ndarray) -> np.ndarray:
    """float64 [n,V,D]: up to LOOKS bodies of which nearly all joints are known, spread over time; others are left
    out, and so are joints that coincide all, or lie on one line, straight or bent, which has no limbs to judge an order
    by."""
    bodies = _bodies(joints)
    visible = np.isfinite(bodies).all(axis=2).mean(axis=1) >= 0.8
    bodies = bodies[visible]
    spread = np.nanmax(bodies, axis=1) - np.nanmin(bodies, axis=1) if len(bodies) else np.zeros((0, 1))
    bodies = _spread(bodies[(spread > 0).any(axis=1)], 4 * LOOKS)
    shapely = [_broad(body) and _branched(body) for body in bodies]
    return _spread(bodies[np.array(shapely, bool)], LOOKS)


def _bodies(joints: np.ndarray) -> np.ndarray:
    """float64 [M*T,V,D]."""
    return joints.reshape(-1, *joints.shape[2:]).astype(np.float64)


def _spread(bodies: np.ndarray, count: int) -> np.ndarray:
    """Up to ``count`` of them, evenly spread."""
    return bodies[np.unique(np.linspace(0, len(bodies) - 1, count).astype(int))] if len(bodies) else bodies


def _broad(body: np.ndarray) -> bool:
    """Whether the known joints [V,D] extend in a second direction too."""
    points = body[np.isfinite(body).all(axis=1)]
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(sizes[1] > 0.05 * sizes[0])


def _branched(body: np.ndarray) -> bool:
    """Whether limbs set out somewhere: in the shortest tree that joins the known joints one has three neighbours."""
    tree = _tree(body[np.isfinite(body).all(axis=1)]).toarray() > 0
    return bool((tree.sum(axis=0) + tree.sum(axis=1)).max() > 2)


def _tree(points: np.ndarray) -> csr_array:
    """The shortest tree [V,V] that joins ``points`` [V,D]."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    # The graph routines take 0 for "no edge": joints that coincide are a hair apart.
    return minimum_spanning_tree(np.maximum(apart, apart.max() * 1e-9))


def detour(joints: np.ndarray, skeleton: Skeleton) -> float:
    """How many times longer the schema's bones are than the shortest tree that joins the same joints; NaN if unknown.

    About 1.1 (up to 1.5) where each place in the array is the joint that the schema says, whatever the units, axes and
    the person's size: limbs are how a body hangs together. Of joints in another order it is 2.5 and more.
    """
    parent, values = parents(skeleton), []
    for body in complete(joints):
        finite = np.isfinite(body).all(axis=1)
        bones = np.linalg.norm(body - body[parent], axis=1)[finite & finite[parent]].sum()
        values.append(bones / _tree(body[finite]).sum())
    return float(np.median(values)) if values else np.nan


def readings(skeleton: Skeleton) -> Iterator[tuple[str, Skeleton, Callable[[np.ndarray], np.ndarray]]]:
    """Other ways in which the same numbers may have been meant: (in words, schema, array -> array as meant)."""
    count = skeleton.count
    yield (
        "planar (all x, then all y, then all z) and not joint by joint",
        skeleton,
        lambda a: np.swapaxes(a.reshape(*a.shape[:2], a.shape[3], count), 2, 3),
    )
    yield (
        "joint by joint and not planar (all x, then all y, then all z)",
        skeleton,
        lambda a: np.swapaxes(a, 2, 3).reshape(a.shape),
    )
    yield "one joint further on", skeleton, lambda a: np.roll(a, -1, axis=2)
    yield "one joint further back", skeleton, lambda a: np.roll(a, 1, axis=2)
    for name in Skeleton.names():
        schema = Skeleton.named(name)
        if schema.count == count and schema.joints != skeleton.joints:
            yield f"the schema {name}", schema, lambda a: a


def better_reading(joints: np.ndarray, skeleton: Skeleton, value: float, gain: float) -> tuple[str, float]:
    """The reading that makes the bones shortest, in words, and its detour; ("", value) if none is ``gain`` times as
    short."""
    reading, shortest = "", value * gain
    for title, schema, read in readings(skeleton):
        length = detour(read(joints), schema)
        if length < shortest:
            reading, shortest = title, length
    return (reading, shortest) if reading else ("", value)


def bone_lengths(joints: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [n] the children of bones, float64 [M*T,n] their lengths in all bodies, NaN where unknown)."""
    parent, bodies = parents(skeleton), _bodies(joints)
    children = np.flatnonzero(parent != np.arange(skeleton.count))
    return children, np.linalg.norm(bodies[:, children] - bodies[:, parent[children]], axis=2)


def stretch(joints: np.ndarray, skeleton: Skeleton) -> tuple[float, str]:
    """(how much the worst bone changes its length, in parts of it; the bone's name), NaN if unknown.

    The distance from the 10th to the 90th percentile over time. Sensors shake the lengths of short bones: the change is
    set against the median bone where that is longer.
    """
    children, lengths = bone_lengths(joints, skeleton)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, middle, high = np.nanpercentile(lengths, (10, 50, 90), axis=0)
        changes = (high - low) / np.maximum(middle, np.nanmedian(middle))
    if not np.isfinite(changes).any():
        return np.nan, ""
    worst = int(np.nanargmax(changes))
    return float(changes[worst]), _bone(skeleton, children[worst])


def lopsided(joints: np.ndarray, skeleton: Skeleton) -> tuple[float, str]:
    """(how many times longer a limb's bone is than its twin on the other side, where that is most; its name)."""
    children, lengths = bone_lengths(joints, skeleton)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        medians = dict(zip(children.tolist(), np.nanmedian(lengths, axis=0), strict=True))
    usual, worst, name = np.nanmedian(list(medians.values())), 1.0, ""
    for left, right in skeleton.pairs:
        a, b = medians.get(left, np.nan), medians.get(right, np.nan)
        # Hair-fine bones, from an eye to its corner, say nothing.
        if np.isfinite([a, b]).all() and max(a, b) > usual and max(a, b) > worst * min(a, b):
            worst, name = max(a, b) / max(min(a, b), 1e-9), _bone(skeleton, left)
    return worst, name


def folded(joints: np.ndarray, skeleton: Skeleton) -> tuple[float, str]:
    """(how many times farther a limb's middle joint is from its root than its end ever is, at worst; which limb).

    Below 1 where limbs are stretched at least once: then the end is farther. A limb that stays bent is 1 where both of
    its bones are such: of one length in all frames, and none of them much longer. NaN where no limb is known.
    """
    named, bodies = common_names(skeleton), _bodies(joints)
    worst, name = np.nan, ""
    for root, middle, end in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
        for side in ("left", "right"):
            chain = [f"{joint_name}_{side}" for joint_name in (root, middle, end)]
            if not all(joint in named for joint in chain):
                continue
            a, b, c = (bodies[:, named.index(joint)] for joint in chain)
            inner, outer = np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1)
            if not (np.isfinite(inner).any() and np.isfinite(outer).any()):
                continue
            value = np.nanmedian(inner) / max(np.nanpercentile(outer, 98), 1e-9)
            if value > 1 and _two_bones(inner, np.linalg.norm(c - b, axis=1)):
                value = 1.0
            if not value <= worst:
                worst, name = float(value), f"{chain[2]} is from {chain[0]}"
    return worst, name


def _two_bones(upper: np.ndarray, lower: np.ndarray) -> bool:
    """Whether these distances over time may be those of the two bones of a limb, however it is bent."""
    middles = [np.nanmedian(upper), np.nanmedian(lower)]
    spreads = [np.nanpercentile(bone, 90) - np.nanpercentile(bone, 10) for bone in (upper, lower)]
    rigid = all(spread < 0.25 * middle for spread, middle in zip(spreads, middles, strict=True))
    return bool(rigid and max(middles) < 1.6 * min(middles))


def _bone(skeleton: Skeleton, child: int) -> str:
    return f"{skeleton.joints[parents(skeleton)[child]]} to {skeleton.joints[child]}"


def height(joints: np.ndarray, skeleton: Skeleton) -> float:
    """About how tall the person is, in the unit of the coordinates: trunk, thigh and shin and what is above and below.

    NaN where these are never seen. Does not depend on posture.
    """
    named, bodies = common_names(skeleton), _bodies(joints)
    hips, shoulders = bodies[:, list(skeleton.hips)], bodies[:, list(skeleton.shoulders)]
    parts = [np.linalg.norm(shoulders.mean(axis=1) - hips.mean(axis=1), axis=1)]
    for side, hip in zip(("left", "right"), skeleton.hips, strict=True):
        chain = [bodies[:, hip]] + [
            bodies[:, named.index(f"{joint_name}_{side}")]
            for joint_name in ("knee", "ankle")
            if f"{joint_name}_{side}" in named
        ]
        parts += [np.linalg.norm(b - a, axis=1) / 2 for a, b in zip(chain, chain[1:], strict=False)]
    lengths = np.array([np.nanmedian(part) if np.isfinite(part).any() else np.nan for part in parts])
    # Trunk and both legs' halves are about 0.8 of a person's height; a schema without ankles shows less of it.
    share = 0.8 if len(lengths) == 5 else 0.55
    return float(lengths.sum() / share)


def upward(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """float64 [D]: the direction from hips to shoulders, of length 1, the median over time; NaN if never seen."""
    bodies = _bodies(joints)
    trunk = bodies[:, list(skeleton.shoulders)].mean(axis=1) - bodies[:, list(skeleton.root)].mean(axis=1)
    trunk = trunk[np.isfinite(trunk).all(axis=1)]
    if not len(trunk):
        return np.full(joints.shape[3], np.nan)
    middle = np.median(trunk, axis=0)
    return middle / max(np.linalg.norm(middle), 1e-9)


def handedness(joints: np.ndarray, skeleton: Skeleton) -> float:
    """Whether left is on the left: 1 where it clearly is, -1 where the body is its own mirror image, near 0 if unclear.

    Where a body's front is follows from its anatomy whatever sides are called: toes and nose point forwards, knees bend
    forwards and elbows backwards. Seen from above, left is then to the left of the front, or it is not: left and right
    have changed names, or an odd number of axes is turned round. joints [M,T,V,3], x right, y up, z away.
    """
    bodies = _bodies(joints)
    up = bodies[:, list(skeleton.shoulders)].mean(axis=1) - bodies[:, list(skeleton.hips)].mean(axis=1)
    left = sum(bodies[:, a] - bodies[:, b] for a, b in (skeleton.hips, skeleton.shoulders))
    ahead, front = np.cross(up, left), _front(bodies, skeleton)
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = (ahead * front).sum(axis=1) / np.linalg.norm(ahead, axis=1) / np.linalg.norm(up, axis=1)
    agreement = agreement[np.isfinite(agreement)]
    if not len(agreement):
        return np.nan
    return float(np.clip(np.mean(agreement) / 0.1, -1, 1))


def _front(bodies: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """float64 [n,3]: sum of all that points forwards; what is missing says nothing."""
    joints = {name: bodies[:, i] for i, name in reversed(list(enumerate(common_names(skeleton))))}
    clues = []

    def clue(tip: str, *base: str) -> None:
        if all(name in joints for name in (tip, *base)):
            clues.append(joints[tip] - np.mean([joints[name] for name in base], axis=0))

    for side in ("left", "right"):
        clue(f"knee_{side}", f"hip_{side}", f"ankle_{side}")
        clue(f"foot_{side}", f"heel_{side}" if f"heel_{side}" in joints else f"ankle_{side}")
        if all(f"{joint_name}_{side}" in joints for joint_name in ("shoulder", "elbow", "wrist")):
            clues.append((joints[f"shoulder_{side}"] + joints[f"wrist_{side}"]) / 2 - joints[f"elbow_{side}"])
    clue("nose", "ear_left", "ear_right")
    return np.nansum(clues, axis=0) if clues else np.full((len(bodies), 3), np.nan)


def flips(joints: np.ndarray, skeleton: Skeleton) -> float:
    """The share of frames from which the next follows more smoothly if left and right are exchanged; NaN if unknown."""
    now, then = joints[:, :-1].astype(np.float64), joints[:, 1:].astype(np.float64)
    paired = [joint for pair in skeleton.pairs for joint in pair]

    def step(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a - b, axis=3)[:, :, paired]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        unchanged, changed = (
            np.nanmean(step(now, then), axis=2),
            np.nanmean(step(now[:, :, skeleton.mirror], then), axis=2),
        )
    finite = np.isfinite(unchanged) & np.isfinite(changed)
    return float((changed[finite] < 0.5 * unchanged[finite]).mean()) if finite.any() else np.nan
