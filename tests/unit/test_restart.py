"""Processes that torchrun starts anew after one died meet each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch.distributed as dist

ROOT = Path(__file__).parents[2]
#: Those of the first start meet as torch has it, and end; those of the second meet as the workbench has it.
MEET = """
import os, torch, torch.distributed as dist
from workbench.study.runs import hardware
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    dist.init_process_group("gloo", store=store, rank=int(os.environ["RANK"]), world_size=2)
hardware._meet_again("cpu")
total = torch.tensor([float(os.environ["RANK"]) + 1])
dist.all_reduce(total)
print(total.item(), flush=True)
os._exit(0)
"""


def test_processes_that_are_started_anew_do_not_call_those_before_them():
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # torchrun's, which outlives them
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    own |= {"TORCHELASTIC_RUN_ID": "x", "PYTHONPATH": str(ROOT)}
    for start in range(2):
        started = [
            subprocess.Popen(
                [sys.executable, "-c", MEET],
                env={**os.environ, **own, "RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": str(start)},
                stdout=subprocess.PIPE,
            )
            for rank in range(2)
        ]
        try:
            said = [process.communicate(timeout=120)[0].split()[-1:] for process in started]
        finally:
            for process in started:
                process.kill()
        assert said == [[b"3.0"], [b"3.0"]], start
