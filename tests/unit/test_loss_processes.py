"""Losses over pairs of clips are those of the whole batch, however many processes share it."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from workbench import losses
from workbench.systems.vpnpp.vpn_f import FeatureDistillation, StudentOptions, contrast

OPTIONS = {
    "raw": StudentOptions(dataset_size=50),
    "temperature": StudentOptions(similarity="temperature", negatives="all", dataset_size=50),
}


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    label = torch.tensor([0, 0, 0, 1, 1, 1])  # either process, by itself, has negatives for no clip
    return torch.randn(6, 4, generator=draw).relu(), torch.randn(6, 5, generator=draw), label


def distilled(kind: str, rows: slice) -> dict[str, torch.Tensor]:
    """The loss of some of the batch's rows, the gradient of E_F, and what a memory then holds."""
    torch.manual_seed(0)
    options = OPTIONS.get(kind, OPTIONS["temperature"])
    module = FeatureDistillation(4, 5, "crd" if kind == "crd" else "scd", options)
    teacher, student, label = (values[rows] for values in batch())
    pair = module(teacher, student)
    if kind == "crd":
        module.remember(*pair, label)
    loss = module.loss(*pair, label)
    loss.backward()
    found = {"loss": loss.detach(), "gradient": module.student.weight.grad}
    return found | ({"banks": module.memory.banks, "z": module.memory.normalizers} if kind == "crd" else {})


def share(rank: int, parts: list[slice], where: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{where}/meet", rank=rank, world_size=len(parts))
    found = {kind: distilled(kind, parts[rank]) for kind in ("raw", "temperature", "crd")}
    with torch.no_grad():  # evaluation, in which processes don't wait for one another
        alone = losses.gather_rows(torch.ones(1 + rank)) if rank == 0 else torch.ones(1)
    torch.manual_seed(rank)
    torch.save([found, alone, losses.draw_seed(torch.device("cpu"))], f"{where}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("parts", [[slice(0, 3), slice(3, 6)], [slice(0, 4), slice(4, 6)]], ids=["even", "uneven"])
def test_two_processes_have_the_loss_and_the_gradient_of_one(parts, tmp_path):
    mp.spawn(share, (parts, str(tmp_path)), nprocs=2)
    made = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for kind in ("raw", "temperature", "crd"):
        whole = distilled(kind, slice(None))
        for found, _, _ in made:
            torch.testing.assert_close(found[kind]["loss"], whole["loss"])
            for name in whole.keys() - {"loss", "gradient"}:
                torch.testing.assert_close(found[kind][name], whole[name])
        # What data-parallel training does with gradients: their mean.
        mean = torch.stack([found[kind]["gradient"] for found, _, _ in made]).mean(0)
        torch.testing.assert_close(mean, whole["gradient"])
    assert [len(alone) for _, alone, _ in made] == [1, 1]
    torch.manual_seed(0)
    assert [seed for _, _, seed in made] == [losses.draw_seed(torch.device("cpu"))] * 2


def test_one_process_gathers_its_own():
    rows = torch.ones(2, 3, requires_grad=True)
    assert losses.gather_rows(rows) is rows
    teacher, student, label = batch()
    loss = contrast(teacher, student[:, :4], label, OPTIONS["raw"])
    assert loss.isfinite()
