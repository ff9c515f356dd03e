"""Distances between the visual and the pose embedding (VPN, ECCV 2020: eq. 4, appendix 1 and 3). Means over the
batch."""

from __future__ import annotations

from torch import Tensor

from workbench.losses.shapes import agree


def normalized_euclidean(visual: Tensor, pose: Tensor, eps: float = 1e-3) -> Tensor:
    """L_e = || f_e / ||f_e|| - P_e / ||P_e|| ||^2 with ||x|| = sqrt(sum x_i^2 + eps).

    The gradient at a zero vector is 1 / sqrt(eps) long, and VPN starts there (its attention scores begin equal, at
    zero), so that a very small eps would throw the first steps far.

    Args:
        visual: f_e, float [B,E].
        pose: P_e, float [B,E].
        eps: above 0; the paper gives no number.

    Returns:
        A scalar in [0,4], the mean over the batch.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        VPN (ECCV 2020), eq. 4 and 7.
    """
    agree("normalized_euclidean", visual=(visual, "B E"), pose=(pose, "B E"))
    visual = visual / (visual.square().sum(1, keepdim=True) + eps).sqrt()
    pose = pose / (pose.square().sum(1, keepdim=True) + eps).sqrt()
    return (visual - pose).square().sum(1).mean()


def kl_divergence(p: Tensor, q: Tensor, eps: float = 1e-8) -> Tensor:
    """D_KL(p || q) = sum_i p_i log(p_i / q_i).

    Args:
        p: float [B,E], each row a distribution: non-negative, of sum 1.
        q: likewise.
        eps: what a smaller probability counts as in the logarithm.

    Returns:
        A scalar >= 0 in nats, the mean over the batch.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        VPN (ECCV 2020), appendix, eq. 8 and 9.
    """
    agree("kl_divergence", p=(p, "B E"), q=(q, "B E"))
    return (p * (p.clamp_min(eps).log() - q.clamp_min(eps).log())).sum(1).mean()


def manhattan(visual: Tensor, pose: Tensor) -> Tensor:
    """(sum_i |v_i - p_i|)^2: the public code trains the Manhattan distance to 0 by a squared error.

    Args:
        visual: v, float [B,E].
        pose: p, float [B,E].

    Returns:
        A scalar >= 0, the mean over the batch.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        VPN's public code.
    """
    agree("manhattan", visual=(visual, "B E"), pose=(pose, "B E"))
    return (visual - pose).abs().sum(1).square().mean()
