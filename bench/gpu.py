"""What only a machine with a GPU can tell, in one command: `make test-gpu` writes it into docs/bench.md.

A training step by the official recipe and by the workbench's own; memory by batch size; data-parallel training on
the GPUs there are; and whether CPU and GPU say the same. Fails where they do not, or where data-parallel processes end
with different weights.

Without a GPU, or with --dry-run, the same code runs in small sizes on the CPU and prints what it would have written.
Usage: python bench/gpu.py [--dry-run] [--steps 10] [--docs docs/bench.md]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.context import BaseContext
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel
from torch.utils.flop_counter import FlopCounterMode

from safefiles import drafts
from workbench.study.runs.hardware import channels_last
from workbench.study.train import batch_norm
from workbench.study.train.step import Step
from workbench.systems import build
from workbench.systems.common.base import System
from workbench.types import Batch

DOCS = Path(__file__).parents[1] / "docs" / "bench.md"
BEGIN, END = "<!-- make test-gpu: begin -->", "<!-- make test-gpu: end -->"
SYSTEMS = ("rgb", "vpn")
#: Largest difference of the logits of CPU and GPU, as a share of the largest logit. fp32 rounds to 6e-8, bf16 to 4e-3;
#: a hundred layers, summed in another order, make several tens of that.
AGREES = {"fp32": 1e-3, "bf16": 0.2}


@dataclass(frozen=True)
class Sizes:
    """clip (T,H,W); width and output stride of the backbone; poses a clip; clips of a step; batch sizes whose memory is
    measured; timed steps; side of the square matrices whose product is the measured peak."""

    clip: tuple[int, int, int] = (64, 224, 224)
    width: float = 1.0
    stride: tuple[int, int, int] = (8, 32, 32)
    poses: int = 20
    clips: int = 8
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    steps: int = 10
    side: int = 8192


SMALL = Sizes((8, 32, 32), 0.125, (4, 8, 8), 8, 2, (1,), 1, 256)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="small sizes on the CPU, written to standard output")
    parser.add_argument("--steps", type=int, help="timed steps of each kind (default: 10)")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the file to write to (default: docs/bench.md)")
    args = parser.parse_args(arguments)
    dry = args.dry_run or not torch.cuda.is_available()
    device, sizes = torch.device("cpu" if dry else "cuda"), SMALL if dry else Sizes()
    sizes = replace(sizes, steps=args.steps or sizes.steps)
    if not dry:
        insert(args.docs.read_text(), "")  # whether there is a place for the results, before an hour is spent
    parts, problems = [title(device, dry)], []
    for part in (steps, memory, parallel, agreement):
        print(f"{part.__name__} ...", file=sys.stderr, flush=True)
        lines, wrong = part(sizes, device)
        parts.append("\n".join(lines))
        problems += wrong
    text = "\n\n".join(parts)
    if dry:
        print(text)
    else:
        drafts.write(args.docs, insert(args.docs.read_text(), text).encode())
        print(f"written to {args.docs}")
    for problem in problems:
        print(f"gpu: {problem}", file=sys.stderr)
    return 1 if problems else 0


def insert(page: str, text: str) -> str:
    """``page`` with ``text`` between its two marks, in place of what was there; ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the results: it needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def title(device: torch.device, dry: bool) -> str:
    if dry:
        return "Dry run on the CPU in small sizes: the numbers say nothing about a GPU."
    one = torch.cuda.get_device_properties(device)
    count = torch.cuda.device_count()
    memory = f"{one.total_memory / 2**30:.0f} GiB"
    return (
        f"Measured by `make test-gpu` on {date.today()}: {count} x {one.name} ({memory}), torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}. Clips of 64 x 224 x 224, width 1, 20 poses."
    )


class Training:
    """A system in training by one of two recipes.

    official: the step of the public I3D and VPN code, in fp32 (convolutions in TF32 where the GPU has it, as torch has
    it by default), contiguous memory, torch's plain SGD, and the loss read after every step. Otherwise the workbench's:
    bf16 under autocast with the loss in fp32, channels-last memory, fused SGD."""

    def __init__(self, name: str, sizes: Sizes, device: torch.device, official: bool, clips: int) -> None:
        self.official, self.device = official, device
        self.system = system(name, sizes).to(device)
        self.batch = batch(sizes, clips).to(device)
        if not official:
            channels_last(self.system)
            video = self.batch.video.contiguous(memory_format=torch.channels_last_3d)
            self.batch = self.batch.replace(video=video)
        self.module: torch.nn.Module = Step(self.system, "loss")
        self.optimizer = torch.optim.SGD(self.system.parameters(), lr=1e-3, momentum=0.9, fused=not official)

    def step(self) -> None:
        self.optimizer.zero_grad()
        if self.official:
            output = self.system(self.batch)
            total = self.system.loss(output, self.batch)["total"]
            total.backward()
            self.optimizer.step()
            total.item()
            return
        with torch.autocast(self.device.type, torch.bfloat16):
            terms, _ = self.module(self.batch)
        terms["total"].backward()
        self.optimizer.step()


def system(name: str, sizes: Sizes) -> System:
    torch.manual_seed(0)
    shape = {"clip": sizes.clip, "width": sizes.width, "output_stride": sizes.stride, "poses": sizes.poses}
    return build(name, num_classes=60, **shape)


def batch(sizes: Sizes, clips: int, seed: int = 1) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    video = torch.rand(clips, 3, *sizes.clip, generator=draw) * 2 - 1
    pose = torch.randn(clips, 1, sizes.poses, 25, 3, generator=draw)
    return Batch(video=video, pose=pose, label=torch.randint(60, (clips,), generator=draw))


def seconds(run: Callable[[], object], device: torch.device, times: int) -> float:
    """The median of so many runs, after one or two that don't count."""
    taken, first = [], min(times, 2)
    for _ in range(times + first):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[first:])


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def steps(sizes: Sizes, device: torch.device) -> tuple[list[str], list[str]]:
    """Both recipes, and what share of a bf16 matrix product's speed the workbench's reaches."""
    a = torch.randn(sizes.side, sizes.side, device=device, dtype=torch.bfloat16)
    peak = 2 * sizes.side**3 / seconds(lambda: a @ a, device, sizes.steps)
    lines = [f"| a training step of {sizes.clips} clips | official recipe | workbench | times | share of peak |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for name in SYSTEMS:
        with FlopCounterMode(display=False) as counter:
            Training(name, sizes, device, True, sizes.clips).step()
        official, own = (
            seconds(Training(name, sizes, device, kind, sizes.clips).step, device, sizes.steps)
            for kind in (True, False)
        )
        share = counter.get_total_flops() / own / peak
        times = f"{official / own:.1f}x"
        lines.append(f"| {name} | {1e3 * official:.1f} ms | {1e3 * own:.1f} ms | {times} | {share:.0%} |")
    return [*lines, "", f"The peak is {peak / 1e12:.1f} TFLOP/s, of a bf16 matrix product of side {sizes.side}."], []


def memory(sizes: Sizes, device: torch.device) -> tuple[list[str], list[str]]:
    """Peak memory of a step by batch size; of the CPU, what the process has had at most until then."""
    kinds = [(name, official) for name in SYSTEMS for official in (True, False)]
    heads = [f"{name}, {'official' if official else 'workbench'}" for name, official in kinds]
    lines = [f"| peak GiB, clips a step | {' | '.join(heads)} |", "|---:|" + "---:|" * len(kinds)]
    full: set[tuple[str, bool]] = set()
    for clips in sizes.batches:
        row = []
        for kind in kinds:
            used = None if kind in full else peak_of(*kind, sizes, device, clips)
            full |= {kind} if used is None else set()
            row.append("out of memory" if used is None else f"{used:.2f}")
        lines.append(f"| {clips} | {' | '.join(row)} |")
    return lines, []


def peak_of(name: str, official: bool, sizes: Sizes, device: torch.device, clips: int) -> float | None:
    """GiB; None where the GPU has not as much."""
    if device.type == "cpu":
        Training(name, sizes, device, official, clips).step()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    try:
        training = Training(name, sizes, device, official, clips)
        for _ in range(2):  # the second has the optimiser's momentum
            training.step()
    except torch.cuda.OutOfMemoryError:
        return None
    return torch.cuda.max_memory_allocated(device) / 2**30


def parallel(sizes: Sizes, device: torch.device) -> tuple[list[str], list[str]]:
    """VPN on 1, 2, 4, ... of the GPUs, each with as many clips; two processes in a dry run."""
    there = torch.cuda.device_count() if device.type == "cuda" else 2
    counts = sorted({*(2**i for i in range(there.bit_length()) if 2**i <= there), there})
    lines, problems, alone = ["| processes | clips a second | times |", "|---:|---:|---:|"], [], 0.0
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            start = starter()
            workers = [start.Process(target=one_of, args=(i, count, place, sizes, device.type)) for i in range(count)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            if any(worker.exitcode for worker in workers):
                problems.append(f"data-parallel training in {count} process(es) failed, see above")
                lines.append(f"| {count} | failed | |")
                continue
            found = json.loads(Path(place, "found.json").read_text())
        speed = count * sizes.clips / found["seconds"]
        alone = alone or speed
        lines.append(f"| {count} | {speed:.1f} | {speed / alone:.2f}x |")
        if found["apart"] > 0:
            problems.append(f"after data-parallel training in {count} processes weights differ by {found['apart']:.2g}")
    return lines, problems


def starter() -> BaseContext:
    """What processes are started with. A fork can't use a GPU that its parent has used, nor locks that threads of its
    parent hold: they are forked from a process that has imported this file and does nothing else."""
    if "forkserver" not in mp.get_all_start_methods():
        return mp.get_context("spawn")
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def one_of(rank: int, world: int, place: str, sizes: Sizes, kind: str) -> None:
    """A process of data-parallel training; the first writes down the seconds of a step, and how far the processes'
    weights are apart."""
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if kind == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{place}/meet", rank=rank, world_size=world)
    training = Training("vpn", sizes, device, False, sizes.clips)
    training.batch = training.batch.replace(label=(training.batch.label + rank) % 60)  # a batch of its own
    batch_norm.share(training.system, device)
    ids = [rank] if kind == "cuda" else None
    training.module = DistributedDataParallel(training.module, device_ids=ids, find_unused_parameters=True)
    taken = seconds(training.step, device, sizes.steps)
    sums = torch.stack([parameter.detach().double().sum() for parameter in training.system.parameters()])
    first = sums.clone()
    dist.broadcast(first, 0)
    apart = (sums - first).abs().max()
    dist.all_reduce(apart, op=dist.ReduceOp.MAX)
    if rank == 0:
        Path(place, "found.json").write_text(json.dumps({"seconds": taken, "apart": float(apart)}))
    dist.destroy_process_group()


def agreement(sizes: Sizes, device: torch.device) -> tuple[list[str], list[str]]:
    """Logits of the same weights and clips, contiguous on the CPU in fp32, and in channels-last order on the GPU, in
    fp32 without TF32 and in bf16."""
    lines = ["| difference of CPU and GPU, by the largest logit | fp32 | bf16 |", "|---|---:|---:|"]
    problems = []
    for name in SYSTEMS:
        one, given = system(name, sizes).eval(), batch(sizes, 2)
        with torch.inference_mode():
            expected = one(given).logits
            channels_last(one.to(device))
            clips = given.to(device)
            clips = clips.replace(video=clips.video.contiguous(memory_format=torch.channels_last_3d))
            apart = {}
            for precision in AGREES:
                cast = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
                with exact(), cast:
                    found = one(clips).logits.float().cpu()
                apart[precision] = float((found - expected).abs().max() / expected.abs().max())
        lines.append(f"| {name} | {apart['fp32']:.1e} | {apart['bf16']:.1e} |")
        for precision, most in AGREES.items():
            if not apart[precision] <= most:  # NaN is no agreement
                far = f"{apart[precision]:.2g} of the largest logit, more than {most:g}"
                problems.append(f"{name}'s logits on the GPU in {precision} are away from the CPU's by {far}")
    return lines, problems


def exact() -> object:
    """A context in which the GPU's fp32 is fp32."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


if __name__ == "__main__":
    sys.exit(main())
