"""Bones from joints: the second stream of 2s-AGCN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.types import Skeleton


def parents(skeleton: Skeleton) -> list[int]:
    """Each joint's neighbour on the way to the centre, as media.pose.bones has it; a joint without one is its own.

    ``skeleton.bones`` says so where it is a tree. MediaPipe's list is a mesh: there it is the neighbour towards the
    hips, and faces, which no bone joins to them, have none.
    """
    parent = list(range(skeleton.count))
    if len({child for child, _ in skeleton.bones}) == len(skeleton.bones):
        for child, towards in skeleton.bones:
            parent[child] = towards
        return parent
    queue = list(skeleton.root)
    for joint in queue:  # breadth first: the list grows while it is read
        for bone in skeleton.bones:
            other = bone[0] if bone[1] == joint else bone[1]
            if joint in bone and other not in queue:
                parent[other] = joint
                queue.append(other)
    return parent


class Bones(nn.Module):
    """Each joint minus its parent, zero at a joint without one.

    A joint that is missing counts as zero, as in the public code: zero is also where normalisation puts the centre.
    """

    parents: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.register_buffer("parents", torch.tensor(parents(skeleton)), persistent=False)

    def forward(self, pose: Tensor) -> Tensor:
        """pose float [B,M,t_p,V,3] -> bone vectors [B,M,t_p,V,3], in the pose's unit."""
        pose = torch.nan_to_num(pose)
        return pose - pose[..., self.parents, :]
