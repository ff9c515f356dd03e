"""Regularisation of attention weights (VPN, ECCV 2020, eq. 6; thesis eq. 4.8 and 4.13). Means over the batch."""

from __future__ import annotations

from torch import Tensor


def attention_regularizer(spatial: Tensor, temporal: Tensor | None = None) -> Tensor:
    """L_a = sum_j ||A_S(j)||_2 + sum_j (1 - A_T(j))^2, mean over the batch, a scalar.

    spatial: float [B,S], the S = m x n weights; temporal: float [B,T'] or None for spatial attention alone. Each
    A_S(j) is a single number, of which the 2-norm is the absolute value.
    """
    total = spatial.abs().sum(1).mean()
    return total if temporal is None else total + attention_balance(temporal)


def attention_balance(weights: Tensor) -> Tensor:
    """sum_k (1 - a_k)^2, a scalar: of weights float [B,K] that sum to 1 it is least where they are equal, so that no
    body part (eq. 4.8) and no moment (eq. 4.13) is ignored."""
    return (1 - weights).square().sum(1).mean()


def weight_penalty(weight: Tensor, squared: bool = False) -> Tensor:
    """||W||_2 of a layer's weight matrix (eq. 4.8), a scalar: the root of the sum of its squares. squared is the usual
    weight decay, and the public code's: the sum itself."""
    total = weight.square().sum()
    return total if squared else total.sqrt()
