"""The weights a run starts from: shipped ones by name, files of public or own checkpoints, modules of finished runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.data.sources import synthadl, synthadl_u
from workbench.nearest import hint
from workbench.nets import weights
from workbench.study.config.experiment import Experiment
from workbench.study.runs.find_runs import LATEST, open_run
from workbench.systems.common import own

#: Where the data of a set are that is trained on without a root.
DEFAULTS = {"synthadl": synthadl.DEFAULT_ROOT, "synthadl_u": synthadl_u.DEFAULT_ROOT}


def begin(system: nn.Module, experiment: Experiment) -> dict[str, str]:
    """Gives ``system`` the weights that it starts from; returns, by module, an account of what was loaded.

    ValueError as ``initialise``, for a layer to freeze that has no parameters, and for one that would keep the random
    weights it was built with.
    """
    weights_of = dict(system.named_parameters())
    layers = {part: None for name in weights_of for part in name.split(".")[:-1]}
    for layer in experiment.procedure.freeze:
        if layer not in layers:
            raise ValueError(f"freeze names {layer!r}, which has no parameters here{hint(layer, layers)}")
    fixed = set(experiment.procedure.frozen)
    frozen = {name: weight for name, weight in weights_of.items() if weight.dim() > 1 and fixed & set(name.split("."))}
    random = {name: weight.detach().clone() for name, weight in frozen.items()}
    account = initialise(system, experiment.init, experiment.runs)
    for name, weight in frozen.items():
        if torch.equal(weight, random[name]):
            raise ValueError(f"{name} is frozen, and nothing in init gives it a value: it would stay random")
    return account


def initialise(system: nn.Module, init: dict[str, str], runs: str) -> dict[str, str]:
    """Loads ``init`` (see TrainConfig), whose runs are in the store ``runs``, into ``system``; returns, by module, a
    readable account of what was loaded.

    A run's linear layer also initialises one of k times as many inputs (see ``fitted``).

    ValueError where a module doesn't exist, where a file has nothing for it, or where a run's module differs from it;
    FileNotFoundError where the source is neither a file nor a run.
    """
    return {prefix: _load(_module(system, prefix), prefix, source, runs) for prefix, source in init.items()}


def spelt(source: str, runs: str, root: str | None) -> str:
    """``source`` with "latest:<system>" as the id of that run, in the store ``runs``, on the data at ``root``."""
    if not source.startswith(LATEST):
        return source
    system, inside = own.parted(source.removeprefix(LATEST))
    return open_run(f"{LATEST}{system}", runs, root).id + ("" if inside is None else f":{inside}")


def _module(system: nn.Module, prefix: str) -> nn.Module:
    try:
        return system.get_submodule(prefix)
    except AttributeError:
        modules = ", ".join(name for name, _ in system.named_children())
        raise ValueError(f"init names the module {prefix!r}, which the system lacks; it has: {modules}") from None


def _load(module: nn.Module, prefix: str, source: str, runs: str) -> str:
    if found := weights.file_of(source):
        return str(weights.load(module, *found))
    name, colon, inside = source.partition(":")
    inside = inside if colon else prefix
    run = open_run(name, runs)
    if not run.weights.is_file():
        raise ValueError(f"init of {prefix!r} names run {run.id}, which is not finished")
    start = f"{inside}." if inside else ""
    state = {key.removeprefix(start): value for key, value in run.state().items() if key.startswith(start)}
    try:
        state, parts = fitted(module, state)
    except ValueError as problem:
        raise ValueError(f"run {run.id} can't initialise {prefix!r}: {problem}") from None
    module.load_state_dict(state)
    loaded = f"run {run.id}: {len(state)} tensors of {start or 'the system'}"
    return f"{loaded}, in {parts} parts of its inputs" if parts > 1 else loaded


def fitted(module: nn.Module, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """``state`` as it can be loaded into ``module``, and in how many parts of its inputs; ValueError naming a tensor
    that is missing on one side or differs in shape.

    The parts are 1 but for a linear layer of k times as many inputs: a classifier of k feature vectors side by side
    that starts from a classifier of one. The weights then stand in each part, divided by k, so that k times the same
    vector gets the scores that the vector had.
    """
    expected, parts = module.state_dict(), 1
    if isinstance(module, nn.Linear) and "weight" in state and state["weight"].dim() == 2:
        parts = max(1, module.in_features // state["weight"].shape[1])
        state = {**state, "weight": state["weight"].repeat(1, parts) / parts}
    wrong = sorted(expected.keys() ^ state.keys()) or [k for k in expected if expected[k].shape != state[k].shape]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is missing on one side or differs in shape")
    return state, parts
