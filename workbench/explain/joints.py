"""What the pose branch listens to: joints in body order (VPN fig. 5a) and channels over time (fig. 5b)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.media.skeletons import body_order
from workbench.types import Skeleton


@dataclass(frozen=True)
class JointMatrix:
    """values float32 [V,t_p], one row a joint in body order (a walk over the body: trunk, arms, legs); names the V
    joints; order int64 [V], the row's index in the skeleton."""

    values: np.ndarray
    names: list[str]
    order: np.ndarray


def in_body_order(joints: np.ndarray, skeleton: Skeleton) -> JointMatrix:
    """The map ``joints`` [t_p,V] of Output as the matrix of fig. 5a. ValueError where V is not the skeleton's."""
    joints = np.asarray(joints, np.float32)
    if joints.ndim != 2 or joints.shape[1] != skeleton.count:
        raise ValueError(f"joints must be [t_p,V] with V={skeleton.count} ({skeleton.name}), got {list(joints.shape)}")
    order = np.asarray(body_order(skeleton), np.int64)
    return JointMatrix(joints[:, order].T.copy(), [skeleton.joints[index] for index in order], order)


def top_joints(joints: np.ndarray, skeleton: Skeleton, count: int = 5) -> list[tuple[str, float]]:
    """The ``count`` joints with the highest activation, averaged over time, best first, with that average."""
    mean = np.asarray(joints, np.float32).mean(0)
    if mean.shape != (skeleton.count,):
        raise ValueError(f"joints must be [t_p,V] with V={skeleton.count} ({skeleton.name}), got {np.shape(joints)}")
    best = np.argsort(-mean, kind="stable")[:count]
    return [(skeleton.joints[index], float(mean[index])) for index in best]


def standing_out(joints: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """float32 [t_p,V]: ``joints`` [t_p,V] without what is the same in all clips and in all joints.

    From each joint the mean over the clips ``everyone`` [S,t_p,V] is subtracted, then at each step the mean over the
    joints: neither a joint that answers to every action nor a clip that is loud all over stands out.
    """
    activation = np.asarray(joints, np.float32) - np.asarray(everyone, np.float32).mean((0, 1))
    return activation - activation.mean(1, keepdims=True)


@dataclass(frozen=True)
class Kernels:
    """The channels that lead at some time step, in the order in which they first lead.

    channels int64 [k]; activation float32 [k,T'], each channel's mean over the grid at each step; leads bool [k,T'],
    whether it is among the most activated of that step; steps float32 [T',H',W'], the mean of the step's leaders: the
    heat map that fig. 5b draws beside them.
    """

    channels: np.ndarray
    activation: np.ndarray
    leads: np.ndarray
    steps: np.ndarray


def kernels_over_time(feature_map: np.ndarray, count: int = 5) -> Kernels:
    """The ``count`` most activated channels (kernels) of ``feature_map`` [C,T',H',W'] at each time step: fig. 5b."""
    feature_map = np.asarray(feature_map, np.float32)
    if feature_map.ndim != 4 or not 1 <= count <= len(feature_map):
        raise ValueError(f"need a map [C,T',H',W'] and 1 <= count <= C, got {feature_map.shape}, {count}")
    mean = feature_map.mean((2, 3))
    leaders = np.argsort(-mean, axis=0, kind="stable")[:count]
    channels = np.array(list(dict.fromkeys(leaders.T.ravel().tolist())), np.int64)
    leads = np.stack([(leaders == channel).any(0) for channel in channels])
    steps = np.stack([feature_map[leaders[:, t], t].mean(0) for t in range(mean.shape[1])])
    return Kernels(channels, mean[channels], leads, steps)
