"""Regularisation of attention weights (VPN, ECCV 2020, eq. 6; thesis eq. 4.13)."""

from __future__ import annotations

from torch import Tensor


def attention_regularizer(spatial: Tensor, temporal: Tensor | None = None) -> Tensor:
    """L_a = sum_j ||A_S(j)||_2 + sum_j (1 - A_T(j))^2, mean over the batch, a scalar.

    spatial: float [B,S], the S = m x n weights; temporal: float [B,T'] or None for spatial attention alone. Each
    A_S(j) is a single number, of which the 2-norm is the absolute value.
    """
    total = spatial.abs().sum(1)
    if temporal is not None:
        total = total + (1 - temporal).square().sum(1)
    return total.mean()
