"""The tasks of lab 1: VPN's attention weights, its coupler, and two forms of modulation (ECCV 2020, eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.lessons.task import Task
from workbench.nets import couple, modulate
from workbench.systems.vpn.vpn import AttentionNetwork


class _Scores(nn.Module):
    """Scores that are known, in the place of a layer."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, h: Tensor) -> Tensor:
        """Whatever is read, the scores."""
        return self.scores


def attention_weights(z1: Tensor, z2: Tensor, m: int, n: int) -> tuple[Tensor, Tensor]:
    """What VPN's attention network makes of its scores z1 float [B,mn] and z2 [B,T']: A_S [B,m,n] and A_T [B,T']."""
    network = AttentionNetwork(1, (z2.shape[1], m, n), 1, temporal=True, normalize=False)
    network.spatial, network.temporal = _Scores(z1), _Scores(z2)  # type: ignore[assignment]
    _, weights = network(z1)
    return weights["spatial"], weights["temporal"]


def modulation(f: Tensor, a: Tensor) -> Tensor:
    """f float [B,C,T',H',W'], a [B,T',H',W'] -> f + a f."""
    return modulate(f, a, "residual")


def weighted_mean(f: Tensor, a: Tensor) -> Tensor:
    """f float [B,C,T',H',W'], a [B,T',H',W'] -> [B,C], the mean over cells weighted by a."""
    return modulate(f, a, "mean").mean((2, 3, 4))


def _scores(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "two clips, 3 steps, a grid of 2 x 4": (*(torch.randn(2, size, generator=draw) for size in (8, 3)), 2, 4),
        "as many clips as steps": (torch.randn(3, 9, generator=draw), torch.randn(3, 3, generator=draw), 3, 3),
        "large scores": (30 * torch.randn(2, 4, generator=draw), 30 * torch.randn(2, 5, generator=draw), 2, 2),
    }


def _weights(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)

    def weights(b: int, t: int, h: int, w: int) -> tuple[Tensor, Tensor]:
        return torch.rand(b, h, w, generator=draw), torch.randn(b, t, generator=draw).softmax(1)

    return {
        "two clips, 3 steps, a grid of 4 x 5": weights(2, 3, 4, 5),
        "a grid whose axes are all 3 long": weights(3, 3, 3, 3),
        "one clip": weights(1, 4, 2, 2),
    }


def _maps(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)

    def pair(*shape: int) -> tuple[Tensor, Tensor]:
        return torch.randn(*shape, generator=draw), torch.rand(shape[0], *shape[2:], generator=draw)

    f, a = pair(2, 3, 2, 3, 4)
    return {
        "two clips, 4 channels, 3 steps, a grid of 5 x 6": pair(2, 4, 3, 5, 6),
        "a map whose axes are all 3 long": pair(3, 3, 3, 3, 3),
        "weights ten times as large": (f, 10 * a),
    }


def _maps_and_zeros(seed: int) -> dict[str, tuple]:
    cases = _maps(seed)
    f, a = next(iter(cases.values()))
    return cases | {"weights that are all zero": (f, torch.zeros_like(a))}


CHANNELS = "A has no axis for the channels; give it one, so that each channel has the same weights: a[:, None]"
_no_axis = {"must match the size of tensor": CHANNELS, "broadcast": CHANNELS}

TASKS = {
    "attention_weights": Task(
        attention_weights,
        "workbench.systems.vpn.vpn.AttentionNetwork",
        ("z1", "z2", "m", "n"),
        ("A_S [B,m,n]", "A_T [B,T']"),
        _scores,
        {
            "the softmax goes over the clips (axis 0); a clip's weights should sum to 1 over its steps, axis 1": (
                lambda z1, z2, m, n: (z1.sigmoid().view(-1, m, n), z2.softmax(0))
            ),
            "A_T is a sigmoid of its scores; it should be a softmax, which sums to 1 over the steps": (
                lambda z1, z2, m, n: (z1.sigmoid().view(-1, m, n), z2.sigmoid())
            ),
            "A_S is a softmax of its scores; it should be a sigmoid: each cell has a weight of its own in (0,1)": (
                lambda z1, z2, m, n: (z1.softmax(1).view(-1, m, n), z2.softmax(1))
            ),
            "the softmax goes over the rows alone; besides, A_S should be a sigmoid": (
                lambda z1, z2, m, n: (z1.view(-1, m, n).softmax(1), z2.softmax(1))
            ),
            "A_S is the scores themselves; put them through a sigmoid": (
                lambda z1, z2, m, n: (z1.view(-1, m, n), z2.softmax(1))
            ),
            "A_S and A_T are exchanged: first space, then time": (
                lambda z1, z2, m, n: (z2.softmax(1), z1.sigmoid().view(-1, m, n))
            ),
            "A_S is still a row of mn numbers; give it the grid's shape: .view(-1, m, n)": (
                lambda z1, z2, m, n: (z1.sigmoid(), z2.softmax(1))
            ),
            "the grid is turned: m are its rows and n its columns, .view(-1, m, n)": (
                lambda z1, z2, m, n: (z1.sigmoid().view(-1, n, m), z2.softmax(1))
            ),
        },
        infinite="exp overflows above 88: torch.softmax and torch.sigmoid are safe",
    ),
    "coupler": Task(
        couple,
        "workbench.nets.couple",
        ("spatial", "temporal"),
        ("A_ST [B,T',H',W']",),
        _weights,
        {
            "the weights are added; the coupler multiplies them": lambda s, t: s[:, None] + t[:, :, None, None],
            "time comes last; it should be the second axis, [B,T',H',W']": lambda s, t: torch.einsum(
                "bhw,bt->bhwt", s, t
            ),
            "every clip has the temporal weights of the first": lambda s, t: couple(s, t[:1].expand_as(t)),
            "every clip has the spatial weights of the first": lambda s, t: couple(s[:1].expand_as(s), t),
            "the product is divided by its sum; the coupler leaves it as it is": (
                lambda s, t: couple(s, t) / couple(s, t).sum((1, 2, 3), keepdim=True)
            ),
            "the spatial weights are left out": lambda s, t: couple(torch.ones_like(s), t),
            "the temporal weights are left out": lambda s, t: couple(s, torch.ones_like(t)),
            "time runs backwards": lambda s, t: couple(s, t.flip(1)),
            "rows and columns of the grid are exchanged": lambda s, t: couple(s.transpose(1, 2), t),
        },
        said={
            "must match the size of tensor": "give both the same four axes first: spatial[:, None] is [B,1,H',W'], "
            "and A_T has to become [B,T',1,1]"
        },
    ),
    "modulation": Task(
        modulation,
        'workbench.nets.modulate(f, a, "residual")',
        ("f", "a"),
        ("the modulated feature map [B,C,T',H',W']",),
        _maps_and_zeros,
        {
            "the residual is missing: this is A f, and VPN adds f to it": lambda f, a: modulate(f, a, "gated"),
            "A is added to f; it should multiply it": lambda f, a: f + a[:, None],
            "this is the weighted mean's map; VPN's form is f + A f": lambda f, a: modulate(f, a, "mean"),
            "f comes twice: A f + f holds it once": lambda f, a: modulate(f, a, "residual") + f,
            "the residual has the wrong sign": lambda f, a: modulate(f, a, "gated") - f,
            "every clip has the weights of the first": lambda f, a: modulate(f, a[:1].expand_as(a), "residual"),
            "the weights are averaged over time first": lambda f, a: modulate(f, a.mean(1, keepdim=True), "residual"),
            "the map is pooled already; pooling comes later": lambda f, a: modulate(f, a, "residual").mean((2, 3, 4)),
            CHANNELS: lambda f, a: f + f * a,
        },
        said=_no_axis,
    ),
    "weighted_mean": Task(
        weighted_mean,
        'workbench.nets.modulate(f, a, "mean"), pooled',
        ("f", "a"),
        ("the pooled feature [B,C]",),
        _maps,
        {
            "the sum is divided by the number of cells; divide it by the sum of the weights": (
                lambda f, a: modulate(f, a, "gated").mean((2, 3, 4))
            ),
            "this is the sum of A f; divide it by the sum of A": lambda f, a: modulate(f, a, "gated").sum((2, 3, 4)),
            "this is the plain mean of f; its cells should be weighted by A": lambda f, a: f.mean((2, 3, 4)),
            "the residual f + A f is pooled here; the weighted mean holds A f alone": (
                lambda f, a: modulate(f, a, "residual").mean((2, 3, 4))
            ),
            "the weights are summed over all clips; each clip has a sum of its own": (
                lambda f, a: modulate(f, a, "gated").sum((2, 3, 4)) / a.sum()
            ),
            "the weights go through a softmax first; divide them by their sum": (
                lambda f, a: weighted_mean(f, a.flatten(1).softmax(1).view_as(a))
            ),
            "every clip has the weights of the first": lambda f, a: weighted_mean(f, a[:1].expand_as(a)),
            "time is left: sum over the three axes (2, 3, 4)": (
                lambda f, a: modulate(f, a, "gated").sum((3, 4)) / a.sum((2, 3))[:, None]
            ),
        },
        said=_no_axis,
    ),
}
