"""Two processes with half of a batch each have the losses and gradients of one process with all of it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from workbench.losses.processes import gather_rows, same, share
from workbench.systems import build
from workbench.types import Batch

OPTIONS = {"plain": {}, **{name: {"baseline": name} for name in ("hallucination", "graph", "mars")}}
SIZES, LENGTHS, CLASSES = {"rgb": 5, "flow": 6}, (9, 4, 6, 2), 3


def batch(rows: slice) -> Batch:
    """Rows of a batch whose videos have two kinds of labels in turn, so that each has the other kind as its negative;
    padded to the longest of ``rows``."""
    rng = torch.Generator().manual_seed(1)
    features = {name: torch.randn(4, max(LENGTHS), size, generator=rng) for name, size in SIZES.items()}
    label = torch.zeros(4, max(LENGTHS), CLASSES)
    label[::2, 0, 0] = label[1::2, 1, 1] = 1
    longest = max(LENGTHS[rows])
    mask = (torch.arange(longest) < torch.tensor(LENGTHS)[:, None])[rows]
    features = {name: value[rows, :longest] for name, value in features.items()}
    return Batch(features=features, label=label[rows, :longest], mask=mask, ids=["a"] * len(mask))


def measured(rows: slice, options: dict) -> dict[str, torch.Tensor]:
    """Each term of the loss, and its gradient for the student's classifier and the first weights of its filter."""
    torch.manual_seed(0)
    system = build("augmented_rgb", CLASSES, width=0.0625, features=SIZES, dropout=0.0, dataset_size=100, **options)
    given = batch(rows)
    torch.manual_seed(5)  # the negatives that are drawn
    terms = system.loss(system(given), given)
    values = {name: term.detach() for name, term in terms.items()}
    terms["total"].backward()
    return values | {name: p.grad for name, p in system.student.named_parameters()}


def one_of_two(rank: int, place: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=2)
    losses = {name: measured(slice(2 * rank, 2 * rank + 2), options) for name, options in OPTIONS.items()}
    for values in losses.values():
        for value in values.values():  # what data-parallel training does to gradients
            dist.all_reduce(value)
            value /= 2
    held = torch.full((2, 1 + rank), float(rank), requires_grad=True)
    gathered = gather_rows(held)
    gathered.square().sum().backward()
    helpers = {"gathered": gathered.detach(), "gradient": held.grad, "share": share(torch.tensor(1 + 2 * rank))}
    helpers |= {"same": same(torch.tensor([rank])), "bool": gather_rows(torch.tensor([rank == 1]))}
    torch.save((losses, helpers), place / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory) -> list:
    """What each of two processes, started anew, has of OPTIONS and of the helpers."""
    place = tmp_path_factory.mktemp("two")
    workers = [multiprocessing.get_context("spawn").Process(target=one_of_two, args=(i, place)) for i in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    return [torch.load(place / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.xdist_group("detection processes")
def test_the_loss_does_not_depend_on_the_number_of_processes(halves, name):
    expected = measured(slice(0, 4), OPTIONS[name])
    found = halves[0][0][name]
    assert set(found) == set(expected)
    for term, value in expected.items():
        assert torch.allclose(found[term], value, rtol=1e-4, atol=1e-5 * float(value.abs().max())), term


@pytest.mark.xdist_group("detection processes")
def test_rows_of_all_processes(halves):
    (_, first), (_, second) = halves
    for helpers in (first, second):
        assert helpers["gathered"].tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
        assert helpers["same"].tolist() == [0] and helpers["bool"].tolist() == [False, True]
    # Two processes have the gradient 2x each; data-parallel training takes half of the sum, here of what is own.
    assert first["gradient"].tolist() == [[0], [0]] and second["gradient"].tolist() == [[4, 4], [4, 4]]
    assert (float(first["share"]), float(second["share"])) == (0.5, 1.5)


def test_one_process_has_all_rows():
    rows = torch.ones(2, 3)
    assert gather_rows(rows) is rows and same(rows) is rows and share(torch.tensor(3)) == 1.0
