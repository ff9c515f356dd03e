"""Improved Fisher vectors (Perronnin, Sanchez and Mensink, ECCV 2010): a set of descriptors as one vector."""

from __future__ import annotations

from math import log, pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FisherVector(nn.Module):
    """How a set of descriptors would have to change a mixture of Gaussians that all sets together have made.

    ``inputs`` numbers a descriptor are first reduced to ``reduced`` of them (PCA, without whitening). The mixture has
    ``gaussians`` components with diagonal covariances. All of that is either fitted (``fit``) or learnt (``loss``);
    ``features`` = 2 x gaussians x reduced is the length of the vector.
    """

    def __init__(self, inputs: int, reduced: int, gaussians: int) -> None:
        super().__init__()
        self.features = 2 * gaussians * reduced
        self.centre = nn.Parameter(torch.zeros(inputs))
        self.axes = nn.Parameter(nn.init.orthogonal_(torch.empty(reduced, inputs)))
        self.log_weights = nn.Parameter(torch.zeros(gaussians))  # up to a constant: their softmax sums to 1
        self.means = nn.Parameter(0.1 * torch.randn(gaussians, reduced))
        self.log_variances = nn.Parameter(torch.zeros(gaussians, reduced))

    @torch.no_grad()
    def forward(self, descriptors: Tensor) -> Tensor:
        """float [B,L,inputs], NaN in the rows that aren't there -> [B,features]: the means' part, then the deviations',
        each [gaussians, reduced]; signed square roots, of length 1 (0 where there is no descriptor). No gradient: it
        is a fixed description of the set."""
        with torch.autocast(descriptors.device.type, enabled=False):
            there = descriptors.isfinite().all(2)
            x = self.reduce(torch.where(there[..., None], descriptors, 0).float())  # [B,L,R]
            share = self.log_likelihoods(x).softmax(2) * there[..., None]  # [B,L,K], of each Gaussian in each
            weights, deviations = self.log_weights.softmax(0), (self.log_variances / 2).exp()
            count = there.sum(1).clamp_min(1)[:, None, None]
            zeroth, first, second = share.sum(1)[..., None], share.mT @ x, share.mT @ x.square()  # [B,K,1 or R]
            mean = first - self.means * zeroth
            spread = second - 2 * self.means * first + (self.means.square() - deviations.square()) * zeroth
            mean = mean / (count * deviations * weights.sqrt()[:, None])
            spread = spread / (count * deviations.square() * (2 * weights).sqrt()[:, None])
            vector = torch.stack([mean, spread], dim=1).flatten(1)
            return F.normalize(vector.sign() * vector.abs().sqrt())

    def reduce(self, descriptors: Tensor) -> Tensor:
        """[...,inputs] -> [...,reduced]"""
        return F.linear(descriptors - self.centre, self.axes)

    def log_likelihoods(self, x: Tensor) -> Tensor:
        """log(w_k N(x; mu_k, sigma_k)) of reduced descriptors: [...,reduced] -> [...,gaussians]."""
        precision = (-self.log_variances).exp()
        distance = F.linear(x.square(), precision) - 2 * F.linear(x, self.means * precision)
        constant = (self.means.square() * precision + self.log_variances + log(2 * pi)).sum(1)
        return self.log_weights.log_softmax(0) - 0.5 * (distance + constant)

    def loss(self, descriptors: Tensor) -> Tensor:
        """What ``fit`` minimises, one after the other: the squared error of the reduction, and the negative
        log-likelihood of the mixture; means over the descriptors [...,inputs] that are there, a scalar."""
        rows = descriptors.flatten(0, -2)
        rows = rows[rows.isfinite().all(1)]
        if not len(rows):
            return torch.stack([parameter.sum() * 0 for parameter in self.parameters()]).sum()
        x = self.reduce(rows)
        error = (rows - self.centre - x @ self.axes).square().sum(1).mean()
        return error - self.log_likelihoods(x.detach()).logsumexp(1).mean()

    def fit(self, descriptors: np.ndarray, seed: int = 0) -> None:
        """Principal components, then expectation maximisation from k-means (scikit-learn), of float [n,inputs].
        ValueError if there are fewer descriptors than Gaussians or reduced numbers."""
        from sklearn.decomposition import PCA
        from sklearn.mixture import GaussianMixture

        gaussians, reduced = self.means.shape
        if len(descriptors) < (least := max(gaussians, reduced)):
            raise ValueError(
                f"{len(descriptors)} descriptors are too few for {gaussians} Gaussians in {reduced} dimensions, "
                f"expected at least {least}"
            )
        components = PCA(reduced, svd_solver="full", random_state=seed).fit(descriptors)
        mixture = GaussianMixture(gaussians, covariance_type="diag", random_state=seed)
        mixture.fit(components.transform(descriptors))
        buffers = {
            "centre": components.mean_,
            "axes": components.components_,
            "log_weights": np.log(mixture.weights_),
            "means": mixture.means_,
            "log_variances": np.log(mixture.covariances_),
        }
        for name, value in buffers.items():
            getattr(self, name).data.copy_(torch.from_numpy(value))
