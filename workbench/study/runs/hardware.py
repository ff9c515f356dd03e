"""What this machine is and what suits it: device, precision, memory format, and the Fabric that drives them."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.distributed as dist
from torch import nn

import workbench
from workbench.study.config.experiment import Experiment

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: As Fabric calls them.
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]]
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
TORCHRUN = "TORCHELASTIC_RUN_ID"  # in the environment of the processes that torchrun starts
#: Seconds for which a training looks how busy the machine is before it starts.
LOOK = 0.3
PACKAGES = ("torch", "numpy", "lightning", "mlflow", "pandas", "scikit-learn", "av", "decord", "captum", "plotly")


def device(wanted: str) -> str:
    """cpu, cuda or mps; RuntimeError where the one asked for is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    devices = [name for name, present in available.items() if present]
    if wanted != "auto" and wanted not in devices:
        raise RuntimeError(f"device {wanted!r} was asked for but this machine has: {', '.join(devices)}")
    return devices[0] if wanted == "auto" else wanted


def has_bf16(kind: str) -> bool:
    """Whether bf16 is fast, and right, on ``kind``; a CPU needs AMX. A processor that torch is told to use as a lesser
    one (ATEN_CPU_CAPABILITY=avx2) counts as that."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu._is_amx_tile_supported() and torch.backends.cpu.get_cpu_capability() == "AVX512"
    return kind == "cpu" and has


def spoils_bf16(kind: str) -> bool:
    """Whether torch's 3D convolutions return wrong gradients in bf16: on CPUs with AVX512-bf16 and no AMX (torch 2.13,
    two steps of time, kernels of 5 x 7 x 7 and others: the gradient of the weights has what lay in memory before)."""
    return kind == "cpu" and torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported()


def suits(experiment: Experiment, system: nn.Module) -> dict[str, Any]:
    """device, precision (fp32, bf16, fp16) and channels_last (bool) of this run on this machine.

    Auto chooses, for systems that convolve in 3D, bf16 where the processor has it, and channels-last memory there and
    on every CPU with oneDNN: measured to help there, and there only (small recurrent and pose networks are as fast,
    and exact, in fp32).
    """
    kind = device(experiment.device)
    convolves = any(isinstance(module, nn.Conv3d) for module in system.modules())
    helps = convolves and has_bf16(kind)
    precision = ("bf16" if helps else "fp32") if experiment.precision == "auto" else experiment.precision
    if precision == "fp16" and kind != "cuda":
        raise ValueError(f"precision fp16 needs a CUDA device, this run is on {kind}; use bf16 or fp32")
    if experiment.precision == "bf16" and convolves and spoils_bf16(kind):
        reason = "on this processor (AVX512-bf16 without AMX) torch's 3D convolutions return wrong gradients in bf16"
        raise ValueError(f"precision bf16 was asked for, but {reason}; use auto or fp32")
    suited = helps or (convolves and kind == "cpu" and torch.backends.mkldnn.is_available())
    last = suited if experiment.channels_last == "auto" else experiment.channels_last == "on"
    return {"device": kind, "precision": precision, "channels_last": last}


def make_fabric(experiment: Experiment, choice: dict[str, Any]) -> Fabric:
    """The Lightning Fabric of ``suits``: one process, or data-parallel over devices and nodes."""
    from lightning.fabric import Fabric

    # They would announce the precision, which the run records.
    for talkative in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    _check_processes(experiment)
    _meet_again(choice["device"])
    several = experiment.devices * experiment.nodes > 1
    strategy = experiment.strategy
    if strategy == "auto" and several:
        # A stage may train a part that its loss does not reach in every step.
        strategy = "ddp_notebook_find_unused_parameters_true" if _in_notebook() else "ddp_find_unused_parameters_true"
    return Fabric(
        accelerator=choice["device"],
        devices=experiment.devices,
        num_nodes=experiment.nodes,
        strategy=strategy,
        precision=PRECISIONS[choice["precision"]],
    )


def process() -> int:
    """Which of the processes that torchrun started this is; 0 without it."""
    return int(os.environ["RANK"]) if TORCHRUN in os.environ else 0


def _check_processes(experiment: Experiment) -> None:
    if TORCHRUN not in os.environ:
        return
    world, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if world != experiment.devices * experiment.nodes:
        request = f"devices={experiment.devices} nodes={experiment.nodes}"
        right = f"devices={local}" + (f" nodes={world // local}" if world > local else "")
        started = f"torchrun started {world} process{'es' if world > 1 else ''}"
        raise ValueError(f"{started} and the run asks for {request}; say --set {right}")


def _meet_again(kind: str) -> None:
    """Connects processes that torchrun has started anew after one died. Its store still has the addresses of those
    before them, which they would call in vain: each start has a part of the store for itself."""
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if TORCHRUN not in os.environ or start == "0" or dist.is_initialized():
        return
    store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "nccl" if kind == "cuda" else "gloo"
    dist.init_process_group(backend, store=dist.PrefixStore(f"start {start}", store), rank=rank, world_size=world)


def channels_last(module: nn.Module) -> None:
    """Stores the weights of 3D convolutions in channels-last order; other weights stay (2D ones would be refused)."""
    for parameter in module.parameters():
        if parameter.dim() == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


@lru_cache
def _most() -> int:
    """As many threads as torch has before a training takes fewer."""
    return torch.get_num_threads()


def threads(earlier: int | None = None) -> int:
    """How many threads a training computes with. A run that goes on has those of its ``earlier`` start, so that its
    numbers are the same to the bit; what the user has set (OMP_NUM_THREADS) stays. Otherwise one for each idle core:
    beside busy processes two threads that wait for each other take longer than one (docs/bench.md)."""
    import psutil

    if earlier or os.environ.get("OMP_NUM_THREADS"):
        return min(earlier or _most(), _most())
    idle = sum(1 - share / 100 for share in psutil.cpu_percent(interval=LOOK, percpu=True))
    return max(1, min(_most(), round(idle)))


def environment() -> dict[str, Any]:
    """What a result may depend on: revision, versions, processor."""
    return {
        "workbench": workbench.__version__,
        "git": git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        # Of torch with its build, such as +cpu, which the package's own record may leave out.
        "versions": {**{name: v for name in PACKAGES if (v := _version(name))}, "torch": str(torch.__version__)},
    }


def git_revision() -> str | None:
    """The commit of the workbench's own checkout, "+" behind it where files differ from it; None outside of git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(workbench.__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.strip() + ("+" if changes.strip() else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None and "IPKernelApp" in get_ipython().config
