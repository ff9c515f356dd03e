"""Regularisation of attention weights (VPN, ECCV 2020, eq. 6; thesis eq. 4.8 and 4.13). Means over the batch."""

from __future__ import annotations

from torch import Tensor


def attention_regularizer(spatial: Tensor, temporal: Tensor | None = None) -> Tensor:
    """L_a = sum_j ||A_S(j)||_2 + sum_j (1 - A_T(j))^2; of a single number A_S(j) the 2-norm is the absolute value.

    Args:
        spatial: A_S, float [B,S], the S = m x n weights.
        temporal: A_T, float [B,T']; None for spatial attention alone.

    Returns:
        A scalar >= 0, the mean over the batch.

    Source:
        VPN (ECCV 2020), eq. 6.
    """
    total = spatial.abs().sum(1).mean()
    return total if temporal is None else total + attention_balance(temporal)


def attention_balance(weights: Tensor) -> Tensor:
    """sum_k (1 - a_k)^2: of weights that sum to 1 it is least where they are equal, so that none is ignored.

    Args:
        weights: a, float [B,K], of body parts or moments.

    Returns:
        A scalar >= 0, the mean over the batch.

    Source:
        Thesis, eq. 4.8 and 4.13.
    """
    return (1 - weights).square().sum(1).mean()


def weight_penalty(weight: Tensor, squared: bool = False) -> Tensor:
    """||W||_2 of a layer's weight matrix: the root of the sum of its squares.

    Args:
        weight: W, float of any shape.
        squared: the sum itself, the usual weight decay, and the public code's.

    Returns:
        A scalar >= 0.

    Source:
        Thesis, eq. 4.8.
    """
    total = weight.square().sum()
    return total if squared else total.sqrt()
