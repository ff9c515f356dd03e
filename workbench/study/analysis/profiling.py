"""What a system costs: parameters, multiply-adds, latency and peak memory, in training and at test.

Costs don't depend on what weights have learnt or on what clips show, so an untrained system and random clips are
measured: at test one clip, in training a batch of the preset. What has to be made of a video before a system can read
it (flow, drawn poses) is timed too; poses come from another program, whose seconds a clip the caller gives.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from workbench.data import ClipSpec
from workbench.data.clips.collate import SEGMENTED
from workbench.media import flow, rendering
from workbench.media.trajectories import DIMENSIONS
from workbench.nets.modules import submodule
from workbench.study.config.experiment import Experiment, resolve
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.train import optim
from workbench.study.train.step import Step
from workbench.systems.common.base import System
from workbench.types import Batch, Clip, Pose, Skeleton

#: How many classes and which joints, where no data set is there to say: SynthADL's.
CLASSES, SKELETON = 29, "kinect_v2"
#: What detectors are measured on: the 16-frame snippets of a minute at 25 frames a second.
SNIPPETS = 93


def profile(
    config: TrainConfig | dict[str, Any],
    repeats: int = 10,
    device: str = "cpu",
    pose_seconds: float | None = None,
    classes: int = CLASSES,
    training: bool = True,
) -> dict[str, Any]:
    """One row of costs of the configuration's system at its preset's sizes.

    At test, of one clip: reads, the fields of Batch, joined by "+"; parameters_test (millions, of the modules that
    ran); gmac_test, multiply-adds in billions, of convolutions, matrix products and recurrent layers; latency_ms, the
    median of ``repeats``, and its quartiles latency_ms_q1 and _q3; memory_test_mb, the peak beyond the system itself;
    inputs_ms, what its flow and drawn poses take; pose_ms, what its poses take, NaN where the system reads them and
    ``pose_seconds`` is not given; total_ms, the sum of latency, inputs and poses. With ``training``, of a step (a
    batch, with its backward pass) of the last stage that is trained on clips: parameters_train, gmac_train, step_ms
    with its quartiles, and memory_train_mb.
    """
    config = parse(config)
    experiment = _experiment(config, classes)
    system = experiment.build().to(device)
    single, many = (random_batch(system, experiment, size).to(device) for size in (1, experiment.batch_size))
    row: dict[str, Any] = {"reads": "+".join(sorted(system.needs_test))}
    row["parameters_test"] = used(system, single) / 1e6
    row["gmac_test"] = multiply_adds(system, lambda: _test(system, single))
    row |= timed("latency_ms", lambda: _test(system, single), repeats, device)
    row["memory_test_mb"] = peak_memory(config, "test", device, classes)
    row["inputs_ms"] = sum(inputs_ms(experiment.clip, needed, repeats) for needed in sorted(system.needs_test))
    poses = system.needs_test & {"pose", "rendered", "parts"}
    row["pose_ms"] = (np.nan if pose_seconds is None else 1000 * pose_seconds) if poses else 0.0
    row["total_ms"] = row["latency_ms"] + row["inputs_ms"] + row["pose_ms"]
    if training:
        step = _training(system, experiment)
        row |= {"parameters_train": count(system) / 1e6, "gmac_train": multiply_adds(system, lambda: step(many))}
        row |= timed("step_ms", lambda: step(many), repeats, device)
        row["memory_train_mb"] = peak_memory(config, "train", device, classes)
    return row


def profile_all(configs: dict[str, TrainConfig], **how: Any) -> pd.DataFrame:
    """One row a configuration, named as in ``configs``; ``how`` as for ``profile``."""
    bar = tqdm(configs.items(), desc="profiling", unit="system")
    return pd.DataFrame([{"system": name, **profile(config, **how)} for name, config in bar])


def random_batch(system: System, experiment: Experiment, size: int, seed: int = 0) -> Batch:
    """A batch of noise with every field that ``system`` reads in training, at the experiment's sizes; for detectors,
    videos of ``SNIPPETS`` snippets."""
    spec, classes, rng = experiment.clip, experiment.setting.num_classes, torch.Generator().manual_seed(seed)
    shape = (spec.frames, *spec.size)
    shapes = {
        "video": (3, *shape),
        "flow": (2, *shape),
        "rendered": (3, *shape),
        "parts": (len(spec.regions), 3, *shape),
        "truth": shape,
        "pose": (spec.persons, spec.poses, experiment.setting.skeleton.count, 3),
        "trajectories": (spec.trajectories, DIMENSIONS),
        "part_truth": (len(spec.regions),),
    }
    batch = Batch(ids=[f"clip{i}" for i in range(size)], label=torch.arange(size) % classes)
    batch = batch.replace(**_noise(system.needs_train, shapes, size, rng))
    if "segments" in system.needs_train:
        cut = system.needs_train & SEGMENTED
        parts = {g: Batch().replace(**_noise(cut, shapes, size * g, rng)) for g in spec.granularities}
        batch = batch.replace(segments=parts)
    if "features" not in system.needs_train:
        return batch
    channels_of: dict[str, int] = getattr(system, "feature_channels")  # noqa: B009  of what reads features
    features = {name: torch.randn((size, SNIPPETS, channels), generator=rng) for name, channels in channels_of.items()}
    label = (torch.rand((size, SNIPPETS, classes), generator=rng) < 0.1).float()
    return batch.replace(features=features, label=label)


def _noise(
    names: frozenset[str], shapes: dict[str, tuple[int, ...]], size: int, rng: torch.Generator
) -> dict[str, Tensor]:
    return {
        name: torch.randn((size, *shapes[name]), generator=rng).clamp(-1, 1) for name in sorted(names) if name in shapes
    }


def _experiment(config: TrainConfig, classes: int) -> Experiment:
    return resolve(config, [str(i) for i in range(classes)], SKELETON)


def count(system: System) -> int:
    """Numbers that training may change."""
    return sum(parameter.numel() for parameter in system.parameters())


def used(system: System, batch: Batch) -> int:
    """Parameters of the modules that an evaluation of ``batch`` runs."""
    ran: set[Tensor] = set()
    hooks = [
        module.register_forward_hook(lambda module, *_: ran.update(module.parameters(recurse=False)))
        for module in system.modules()
    ]
    _test(system, batch)
    for hook in hooks:
        hook.remove()
    return sum(parameter.numel() for parameter in ran | set(system.parameters(recurse=False)))


def _test(system: System, batch: Batch) -> None:
    system.eval()
    # Not inference mode, in which the counter of multiply-adds can't follow parametrised weights.
    with torch.no_grad():
        system(batch)


def _training(system: System, experiment: Experiment) -> Callable[[Batch], None]:
    """One step, without the optimiser, of the last stage that is trained by gradient on clips."""
    stages = experiment.stages(system)
    stage = next((stage for stage in reversed(stages) if not (stage.cached or stage.solve)), stages[-1])
    module = Step(submodule(system, stage.part, System), stage.loss)

    def step(batch: Batch) -> None:
        optim.freeze(system, stage)
        optim.train_mode(module)
        module(batch)[0]["total"].backward()
        system.zero_grad(set_to_none=True)

    return step


def multiply_adds(system: System, run: Callable[[], None]) -> float:
    """Billions that ``run`` makes ``system`` do, by torch's counter, which counts a multiply-add as two operations."""
    # Fused recurrent layers are not counted; taken apart, they are matrix products. Convolutions stay fused, and fast.
    hooks = []
    for module in system.modules():
        if isinstance(module, nn.RNNBase):
            hooks.append(module.register_forward_pre_hook(lambda *_: _fuse(False)))
            hooks.append(module.register_forward_hook(lambda *_: _fuse(True)))
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops() / 2e9


def _fuse(enabled: bool) -> None:
    torch.backends.mkldnn.set_flags(enabled)
    torch.backends.cudnn.enabled = enabled


def timed(name: str, run: Callable[[], object], repeats: int, device: str) -> dict[str, float]:
    """Median and quartiles of ``repeats`` runs after one that warms up, in milliseconds."""
    run()
    times = []
    for _ in range(max(2, repeats)):
        _wait(device)
        started = time.perf_counter()
        run()
        _wait(device)
        times.append(1000 * (time.perf_counter() - started))
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return {name: middle, f"{name}_q1": low, f"{name}_q3": high}


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def peak_memory(config: TrainConfig, phase: str, device: str, classes: int = CLASSES) -> float:
    """Megabytes at the peak of a step ("train") or of one clip ("test"), beyond what the system itself holds.

    Measured in a process of its own, since what a process has once held on to it seldom gives back.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak, config, phase, device, classes).result()


def _peak(config: TrainConfig, phase: str, device: str, classes: int) -> float:
    torch.set_num_threads(1)
    experiment = _experiment(config, classes)
    system = experiment.build().to(device)
    batch = random_batch(system, experiment, experiment.batch_size if phase == "train" else 1).to(device)
    step = _training(system, experiment)
    gc.collect()
    before = _held(device, start=True)
    step(batch) if phase == "train" else _test(system, batch)
    return (_held(device) - before) / 1e6


def _held(device: str, start: bool = False) -> float:
    """Bytes at the peak since ``start`` was asked for; NaN for the memory of a processor where Linux isn't there to
    tell."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not peak.exists():
        return math.nan
    if start:
        peak.write_text("5")  # the peak becomes what is held now
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * float(line.split()[1])


def inputs_ms(spec: ClipSpec, needed: str, repeats: int) -> float:
    """Median milliseconds to make ``needed`` ("flow" or "rendered", else nothing) of one clip's frames."""
    if needed not in ("flow", "rendered"):
        return 0.0
    rng = np.random.default_rng(0)
    frames, numbers = rng.integers(0, 256, (spec.frames + 1, *spec.size, 3), np.uint8), np.arange(spec.frames + 1)
    clip, skeleton = Clip(frames, numbers, 25.0), Skeleton.named(SKELETON)
    spread = np.array(spec.size[::-1], np.float32)
    joints = rng.random((spec.persons, spec.frames + 1, skeleton.count, 2), np.float32) * spread
    pose, drawn = Pose(joints, skeleton, "image", numbers), (spec.background, spec.marker, spec.colors)
    runs: dict[str, Callable[[], object]] = {
        "flow": lambda: flow.compute(clip, spec.flow_method),
        "rendered": lambda: rendering.draw(frames, pose, *drawn),
    }
    return timed("ms", runs[needed], repeats, "cpu")["ms"]
