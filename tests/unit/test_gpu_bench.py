"""The script for machines with a GPU, as far as a CPU can tell: its dry run, what it writes, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import gpu

ROOT = Path(__file__).parents[2]


def test_the_dry_run_has_every_part_and_leaves_the_page(capsys, tmp_path):
    page = tmp_path / "bench.md"
    page.write_text("as it was")
    assert gpu.main(["--dry-run", "--docs", str(page)]) == 0
    said = capsys.readouterr().out
    assert page.read_text() == "as it was"
    assert said.startswith("Dry run on the CPU") and "failed" not in said
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ") and "---" not in line]
    heads = [row[0].strip("| ") for row in rows]
    assert heads == [
        *["a training step of 2 clips", "rgb", "vpn"],
        *["peak GiB, clips a step", "1"],
        *["processes", "1", "2"],
        *["difference of CPU and GPU, by the largest logit", "rgb", "vpn"],
    ]


def test_results_take_the_place_of_earlier_ones_between_the_marks():
    page = (ROOT / "docs" / "bench.md").read_text()
    once = gpu.insert(page, "| new |")
    assert gpu.insert(once, "| new |") == once and gpu.insert(once, "| newer |") == gpu.insert(page, "| newer |")
    assert "| new |" in once and "Not measured yet" not in once
    before = page.partition(gpu.BEGIN)[0]
    assert once.startswith(before) and once.endswith(page.partition(gpu.END)[2])


@pytest.mark.parametrize("page", ["no marks", "<!-- make test-gpu: begin -->", "<!-- make test-gpu: end -->"])
def test_a_page_without_a_place_for_the_results_is_an_error(page):
    with pytest.raises(ValueError, match="it needs the lines"):
        gpu.insert(page, "text")


def test_a_gpu_that_says_something_else_fails(monkeypatch):
    whole = gpu.system

    def broken(name, sizes):
        """The second pass, which is the GPU's, has a flipped bit in the classifier."""
        made = whole(name, sizes)
        calls = []

        def flip(module, given, said):
            calls.append(said)
            return said + (len(calls) > 1) * torch.eye(*said.shape)

        made.classifier.register_forward_hook(flip)
        return made

    monkeypatch.setattr(gpu, "system", broken)
    _, problems = gpu.agreement(gpu.SMALL, torch.device("cpu"))
    assert len(problems) == 4 and problems[0].startswith("rgb's logits on the GPU in fp32 are away from the CPU's by")
