"""Peak memory and time of one VPN training step at batch 1 in the published size (64 x 224 x 224, width 1, 20 poses).

The process holds the step alone: weights, gradients, SGD's momentum, activations, and torch itself.
Usage: python bench/vpn_memory.py [--threads 2] [--steps 3] [--plain] (fp32, contiguous) [--pose-backbone gcn|lstm]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import torch

from workbench.study.runs.hardware import channels_last, has_bf16
from workbench.systems import build
from workbench.types import Batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--pose-backbone", choices=["gcn", "lstm"], default="gcn")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    bf16 = not arguments.plain and has_bf16("cpu")

    system = build("vpn", num_classes=60, pose_backbone=arguments.pose_backbone)
    batch = Batch(video=torch.rand(1, 3, 64, 224, 224), pose=torch.randn(1, 2, 20, 25, 3), label=torch.tensor([7]))
    if not arguments.plain:
        channels_last(system)
        batch = batch.replace(video=batch.video.contiguous(memory_format=torch.channels_last_3d))
    optimizer = torch.optim.SGD(system.parameters(), lr=0.01, momentum=0.9)
    before = peak()
    for _ in range(arguments.steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = system(batch)
            total = system.loss(output, batch)["total"]
        total.backward()
        optimizer.step()
        seconds = time.perf_counter() - start
    parameters = sum(parameter.numel() for parameter in system.parameters())
    size = f"VPN ({arguments.pose_backbone}), {parameters / 1e6:.1f} M parameters, {'bf16' if bf16 else 'fp32'}"
    print(f"{size}: peak {peak():.2f} GiB ({before:.2f} before the first step), {seconds:.2f} s a step")


def peak() -> float:
    """The largest resident memory of this process so far, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


if __name__ == "__main__":
    main()
