"""Joint schemas: the same body in the joints of different sensors and estimators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.types import Pose, Skeleton

#: Parts of the body in the order in which heat maps list them (as in VPN, fig. 5a).
PARTS = ("head", "trunk", "left arm", "right arm", "left leg", "right leg")

#: The sides of a body, left and right its own, and the RGB of each wherever a skeleton is drawn.
SIDES = ("middle", "left", "right")
SIDE_COLORS = ((235, 235, 235), (255, 80, 60), (70, 130, 255))

#: PERF-Net section 3.1: 6 coarse colours, which it lists, and 13 fine ones, of which it gives examples. Here the trunk
#: has two limbs of its own among the thirteen: its sides where a schema joins shoulders to hips, else two of the spine.
COARSE = ("head", "body", "left arm", "right arm", "left leg", "right leg")
FINE = (
    "head",
    "shoulders",
    "hips",
    "left side or upper spine",
    "right side or lower spine",
    "left upper arm",
    "left forearm",
    "right upper arm",
    "right forearm",
    "left thigh",
    "left shin",
    "right thigh",
    "right shin",
)
_COARSE_OF_FINE = (0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)

#: What schemas call the same place. Kinect v2's own "neck" lies above what others call neck.
_SAME = {
    "hip_center": "spine_base",
    "mid_hip": "spine_base",
    "spine": "spine_mid",
    "torso": "spine_mid",
    "chest": "spine_mid",
    "shoulder_center": "spine_shoulder",
    "neck": "spine_shoulder",
    "foot_index_left": "foot_left",
    "foot_index_right": "foot_right",
    "big_toe_left": "foot_left",
    "big_toe_right": "foot_right",
}

#: Joints that are the mean of others where a schema does not store them.
_MEANS = {
    "spine_base": ("hip_left", "hip_right"),
    "spine_shoulder": ("shoulder_left", "shoulder_right"),
    "spine_mid": ("hip_left", "hip_right", "shoulder_left", "shoulder_right"),
    "head": ("ear_left", "ear_right"),
    "hand_left": ("index_left", "pinky_left"),
    "hand_right": ("index_right", "pinky_right"),
}

_JOINTS_OF = {
    "head": ("head", "nose", "mouth", "eye", "eye_inner", "eye_outer", "ear", "upper_neck"),
    "trunk": ("spine_base", "spine_mid", "spine_shoulder"),
    "arm": ("shoulder", "elbow", "wrist", "hand", "thumb", "pinky", "index", "hand_tip"),
    "leg": ("hip", "knee", "ankle", "heel", "foot", "small_toe"),
}


#: The schema of a name (ValueError listing all for another one), and the names that there are.
get, names = Skeleton.named, Skeleton.names


def common_names(skeleton: Skeleton) -> list[str]:
    """What each joint is called when schemas are compared: place, then side ("elbow_left")."""

    def common(joint: str) -> str:
        if skeleton.name == "kinect_v2" and joint == "neck":
            return "upper_neck"
        for side in ("left_", "right_"):
            if joint.startswith(side):
                joint = f"{joint.removeprefix(side)}_{side[:-1]}"
        return _SAME.get(joint, joint)

    return [common(joint) for joint in skeleton.joints]


def convert(pose: Pose, to: str | Skeleton) -> Pose:
    """``pose`` in the joints of another schema.

    Joints are matched by place; those that only follow from others (hip centre, neck, spine, head, hand) are their
    mean. A joint that the source does not have is NaN, with confidence 0. ValueError if no joint at all can be had.
    """
    target = Skeleton.named(to) if isinstance(to, str) else to
    if target == pose.skeleton:
        return pose
    available = {name: index for index, name in reversed(list(enumerate(common_names(pose.skeleton))))}
    sources = [_sources(name, available) for name in common_names(target)]
    if not any(sources):
        raise ValueError(f"no joint of {target.name} can be had from {pose.skeleton.name}")
    persons, frames, _, axes = pose.joints.shape
    joints = np.full((persons, frames, target.count, axes), np.nan, np.float32)
    confidence = None if pose.confidence is None else np.zeros(joints.shape[:3], np.float32)
    for index, source in enumerate(sources):
        if source:
            joints[:, :, index] = pose.joints[:, :, source].mean(axis=2)
            if confidence is not None and pose.confidence is not None:
                confidence[:, :, index] = pose.confidence[:, :, source].min(axis=2)
    return replace(pose, joints=joints, skeleton=target, confidence=confidence)


def _sources(name: str, available: dict[str, int]) -> list[int]:
    if name in available:
        return [available[name]]
    parts = _MEANS.get(name, ())
    return [available[part] for part in parts] if parts and all(part in available for part in parts) else []


def body_part(skeleton: Skeleton) -> list[str]:
    """For each joint the one of PARTS that it belongs to; hips count as legs, shoulders as arms."""
    return [_part(name) for name in common_names(skeleton)]


def _part(name: str) -> str:
    joint, side = _joint_and_side(name)
    kind = next((kind for kind, joints in _JOINTS_OF.items() if joint in joints), "trunk")
    return f"{side} {kind}" if kind in ("arm", "leg") else kind


def _joint_and_side(name: str) -> tuple[str, str]:
    """("elbow", "left") of "elbow_left"; the side is "" in the middle of the body."""
    joint, _, side = name.rpartition("_")
    return (joint, side) if side in ("left", "right") else (name, "")


def joint_sides(skeleton: Skeleton) -> np.ndarray:
    """int64 [V]: for each joint its index in SIDES."""
    sides = np.zeros(skeleton.count, np.int64)
    for left, right in skeleton.pairs:
        sides[left], sides[right] = SIDES.index("left"), SIDES.index("right")
    return sides


def bone_sides(skeleton: Skeleton) -> np.ndarray:
    """int64 [bones]: for each bone its index in SIDES; one that joins a side to the middle is in the middle."""
    ends = joint_sides(skeleton)[np.array(skeleton.bones, np.int64).reshape(-1, 2)]
    return np.where(ends[:, 0] == ends[:, 1], ends[:, 0], SIDES.index("middle"))


def body_order(skeleton: Skeleton) -> np.ndarray:
    """int64 [V]: joint indices from head over trunk, left arm, right arm and left leg to right leg, each outwards."""
    rank = {joint: i for i, joint in enumerate(joint for joints in _JOINTS_OF.values() for joint in joints)}
    # The trunk is read downwards, from the shoulders.
    rank.update(spine_shoulder=rank["spine_base"], spine_base=rank["spine_shoulder"])

    def key(index: int) -> tuple[int, int]:
        name = common_names(skeleton)[index]
        return PARTS.index(_part(name)), rank.get(_joint_and_side(name)[0], len(rank))

    return np.array(sorted(range(skeleton.count), key=key), np.int64)


def bone_limbs(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [bones], int64 [bones]): for each bone the index of its limb in FINE and in COARSE."""
    called = common_names(skeleton)
    fine = np.array([_limb(called[child], called[parent]) for child, parent in skeleton.bones], np.int64)
    return fine, np.array(_COARSE_OF_FINE, np.int64)[fine]


def _limb(first: str, second: str) -> int:
    (joint, side), (inner, _) = sorted((_joint_and_side(first), _joint_and_side(second)), key=lambda end: end[1] == "")
    parts = {_part(first), _part(second)}
    joints = {joint, inner}
    if "head" in parts:
        return FINE.index("head")
    if parts == {f"{side} arm"}:
        return FINE.index(f"{side} upper arm" if joints == {"shoulder", "elbow"} else f"{side} forearm")
    if parts == {f"{side} leg"}:
        return FINE.index(f"{side} thigh" if joints == {"hip", "knee"} else f"{side} shin")
    if joints == {"shoulder", "hip"}:
        return FINE.index("left side or upper spine" if side == "left" else "right side or lower spine")
    if "shoulder" in joints:
        return FINE.index("shoulders")
    if "hip" in joints:
        return FINE.index("hips")
    upper = "spine_shoulder" in joints
    return FINE.index("left side or upper spine" if upper else "right side or lower spine")


def joint_limbs(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [V], int64 [V]): for each joint the index in FINE and in COARSE of the limb that ends in it."""
    fine = np.array([_ends(name) for name in common_names(skeleton)], np.int64)
    return fine, np.array(_COARSE_OF_FINE, np.int64)[fine]


def _ends(name: str) -> int:
    joint, side = _joint_and_side(name)
    if _part(name) == "head":
        return FINE.index("head")
    middle = {"shoulder": "shoulders", "hip": "hips", "spine_shoulder": "left side or upper spine"}
    if joint in middle:
        return FINE.index(middle[joint])
    if not side:
        return FINE.index("right side or lower spine")
    outer = {"arm": ("elbow", "upper arm", "forearm"), "leg": ("knee", "thigh", "shin")}
    inner_end, inner, outermost = outer[_part(name).split()[1]]
    return FINE.index(f"{side} {inner if joint == inner_end else outermost}")


def parents(skeleton: Skeleton) -> np.ndarray:
    """int64 [V]: each joint's neighbour towards the root; roots and joints without a bone are their own parent.

    The schema's (child, parent) pairs where they form a tree, as 2s-AGCN's bone stream uses them; else (MediaPipe's
    list is a mesh) breadth first from the joints of the hip line.
    """
    children = [child for child, _ in skeleton.bones]
    parent = np.arange(skeleton.count)
    if len(set(children)) == len(children):
        for child, towards in skeleton.bones:
            parent[child] = towards
        return parent
    reached = list(skeleton.root)
    for joint in reached:  # grows on the way
        for bone in skeleton.bones:
            neighbour = sum(bone) - joint
            if joint in bone and neighbour not in reached:
                reached.append(neighbour)
                parent[neighbour] = joint
    return parent
