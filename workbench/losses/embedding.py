"""Distances between the visual and the pose embedding (VPN, ECCV 2020: eq. 4, appendix 1 and 3). Means over the
batch."""

from __future__ import annotations

from torch import Tensor

from workbench.losses.shapes import agree


def normalized_euclidean(visual: Tensor, pose: Tensor, eps: float = 1e-3) -> Tensor:
    """L_e = || f_e / ||f_e|| - P_e / ||P_e|| ||^2 with ||x|| = sqrt(sum x_i^2 + eps) (eq. 4 and 7), a scalar in [0, 4].

    visual, pose: float [B,E]. The paper gives no number for eps. The gradient at a zero vector is 1 / sqrt(eps) long,
    and VPN starts there (its attention scores begin equal, at zero), so a very small eps would throw the first steps
    far.
    """
    agree("normalized_euclidean", visual=(visual, "B E"), pose=(pose, "B E"))
    visual = visual / (visual.square().sum(1, keepdim=True) + eps).sqrt()
    pose = pose / (pose.square().sum(1, keepdim=True) + eps).sqrt()
    return (visual - pose).square().sum(1).mean()


def kl_divergence(p: Tensor, q: Tensor, eps: float = 1e-8) -> Tensor:
    """D_KL(p || q) = sum_i p_i log(p_i / q_i) (appendix, eq. 8 and 9), a scalar >= 0 in nats.

    p, q: float [B,E], each row a distribution (non-negative, sum 1). Probabilities below eps count as eps in the
    logarithm.
    """
    agree("kl_divergence", p=(p, "B E"), q=(q, "B E"))
    return (p * (p.clamp_min(eps).log() - q.clamp_min(eps).log())).sum(1).mean()


def manhattan(visual: Tensor, pose: Tensor) -> Tensor:
    """(sum_i |v_i - p_i|)^2: the public code trains the Manhattan distance to 0 by a squared error. visual, pose
    [B,E]."""
    agree("manhattan", visual=(visual, "B E"), pose=(pose, "B E"))
    return (visual - pose).abs().sum(1).square().mean()
