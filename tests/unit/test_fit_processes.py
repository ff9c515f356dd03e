"""Whole systems on two processes, half of a batch each, have the losses, gradients and batch statistics of one process.

In fp64, so that nothing but the arithmetic's own rounding (1e-16, a hundred layers deep) is between them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from workbench.study.train import batch_norm
from workbench.systems import build
from workbench.types import Batch

SYSTEMS = {
    "rgb": ("rgb", {"dropout": 0.0}),
    "agcn": ("agcn", {}),
    "vpn": ("vpn", {"dropout": 0.0, "normalize_pose": True, "pose_first": True}),
    "vpn_f": ("vpn_f", {"dropout": 0.0, "dataset_size": 20}),
    "vpn_f crd": ("vpn_f", {"dropout": 0.0, "dataset_size": 20, "distillation": "crd"}),
}
#: Steps of plain gradient descent, so that banks hold an earlier batch.
STEPS, RATE = 2, 1e-3


def batches() -> list[Batch]:
    draw = torch.Generator().manual_seed(1)
    return [
        Batch(
            video=torch.rand(4, 3, 8, 32, 32, generator=draw).double() * 2 - 1,
            pose=torch.randn(4, 2, 8, 25, 3, generator=draw).double(),
            label=torch.tensor([0, 0, 1, 1]),  # either process, by itself, has no negatives
        )
        for _ in range(STEPS)
    ]


def trained(name: str, rows: slice, processes: int) -> dict[str, torch.Tensor]:
    """What some of the rows' losses are, and the weights and statistics after training on them."""
    kind, options = SYSTEMS[name]
    torch.manual_seed(0)
    system = build(kind, num_classes=3, clip=(8, 32, 32), width=0.125, output_stride=(4, 8, 8), poses=8, **options)
    system.double().train()
    if processes > 1:
        batch_norm.share(system, torch.device("cpu"))
    found = {}
    torch.manual_seed(dist.get_rank() if processes > 1 else 0)
    for step, batch in enumerate(batches()):
        part = batch.replace(**{key: getattr(batch, key)[rows] for key in ("video", "pose", "label")})
        loss = system.crd_loss if options.get("distillation") == "crd" else system.loss
        terms = loss(system(part), part)
        parameters = [p for p in system.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(terms["total"], parameters, allow_unused=True, materialize_grads=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.data -= RATE * mean(gradient, processes)
        found |= {f"{term} of step {step}": mean(value.detach(), processes) for term, value in terms.items()}
    return found | system.state_dict()


def mean(value: torch.Tensor, processes: int) -> torch.Tensor:
    """What data-parallel training does with gradients."""
    total = value.clone()
    if processes > 1:
        dist.all_reduce(total)
    return total / processes


def one_of_two(rank: int, place: Path) -> None:
    torch.set_num_threads(1)
    torch.Tensor.float = torch.Tensor.double  # systems go on in fp32 after the network
    dist.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=2)
    for name in SYSTEMS:
        torch.save(trained(name, slice(2 * rank, 2 * rank + 2), 2), place / f"{name} {rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """What two processes, started anew, made of every system."""
    place = tmp_path_factory.mktemp("processes")
    start = multiprocessing.get_context("spawn").Process
    workers = [start(target=one_of_two, args=(rank, place)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0, 0]
    return place


@pytest.mark.parametrize("name", SYSTEMS)
def test_two_processes_train_as_one(name, place, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    expected = trained(name, slice(None), 1)
    for rank in (0, 1):
        found = torch.load(place / f"{name} {rank}.pt", weights_only=True)
        assert set(found) == set(expected)
        for key, value in expected.items():
            away = (found[key] - value).abs().max()
            assert away <= 1e-9 * (1 + float(value.abs().max())), (key, float(away))


def test_batch_norm_of_one_process_and_of_evaluation_is_torchs(tmp_path):
    plain, system = nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3))
    plain(torch.randn(2, 3, 4, 4))
    system[0].load_state_dict(plain.state_dict())
    batch_norm.share(system, torch.device("cpu"))
    assert type(system[0]) is batch_norm.SharedBatchNorm and list(system.state_dict()) == [
        f"0.{name}" for name in plain.state_dict()
    ]
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(system.eval()(x), plain.eval()(x))
    assert system[0].weight.requires_grad and not system[0].training
