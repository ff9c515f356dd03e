"""A training step of I3D, and a pass at test: the tuned path against a plain fp32 contiguous one, same weights, same
process, in turn.

Tuned is what ``fit`` runs by default on such a processor: channels-last weights and clips, bf16 autocast, and with them
the folded stem; and what ``evaluate`` runs: channels-last, in fp32.
Usage: python bench/i3d_step.py [--threads 2] [--steps 5] [--device cpu|cuda]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from workbench.nets import I3D
from workbench.study.runs.hardware import channels_last, has_bf16

SETTINGS = {
    "tiny   16 x 16 x 96, width 0.25, output stride (4,16,16)": (
        (16, 16, 96),
        {"width": 0.25, "output_stride": (4, 16, 16)},
    ),
    "paper  1 x 64 x 224, width 1": ((1, 64, 224), {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bf16 = "with bf16" if has_bf16(arguments.device) else "without bf16"
    print(f"torch {torch.__version__}, {arguments.device} {bf16}, {arguments.threads} threads")
    for what, run in {"a step": step, "a pass at test": look}.items():
        print(f"{f'median seconds {what}':58s}   plain   tuned   times")
        for name, (shape, options) in SETTINGS.items():
            plain, tuned = measure(run, shape, options, arguments.steps, arguments.device)
            print(f"{name:58s} {plain:7.3f} {tuned:7.3f} {plain / tuned:6.2f}x", flush=True)


def measure(
    run: Callable[..., float], shape: tuple[int, int, int], options: dict, steps: int, device: str
) -> tuple[float, float]:
    """Median seconds of a plain and of a tuned run, which take turns."""
    batch, frames, side = shape
    networks = {False: I3D(**options).to(device), True: I3D(**options).to(device)}
    networks[True].load_state_dict(networks[False].state_dict())
    channels_last(networks[True])
    video = torch.randn(batch, 3, frames, side, side, device=device)
    clips = {False: video, True: video.contiguous(memory_format=torch.channels_last_3d)}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(steps + 1):
        for tuned, network in networks.items():
            seconds[tuned].append(run(network, clips[tuned], tuned and has_bf16(device)))
    return statistics.median(seconds[False][1:]), statistics.median(seconds[True][1:])


def step(network: I3D, video: torch.Tensor, bf16: bool) -> float:
    """Seconds of forward and backward. The loss reads every cell of the feature map with a weight of its own."""
    start = time.perf_counter()
    network.zero_grad(set_to_none=True)
    with torch.autocast(video.device.type, torch.bfloat16, enabled=bf16):
        feature_map = network(video)
    feature_map.float().square().mean().backward()
    if video.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def look(network: I3D, video: torch.Tensor, bf16: bool) -> float:
    """Seconds of a forward pass without gradients, in fp32 whatever ``bf16`` says."""
    network.eval()
    start = time.perf_counter()
    with torch.inference_mode():
        network(video)
    if video.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
