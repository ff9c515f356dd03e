"""How many threads a training computes with: fewer beside busy processes, and as many as before when it goes on."""

from __future__ import annotations

import psutil
import pytest

from workbench.study.runs import hardware


@pytest.mark.parametrize(
    ("busy", "expected"),
    [([0, 3], 2), ([100, 2], 1), ([100, 100], 1), ([40, 45], 1), ([5, 0, 100, 100], 2), ([0] * 8, 4)],
)
def test_one_for_each_idle_core_and_no_more_than_torch_has(monkeypatch, busy, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(hardware, "_most", lambda: 4)
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval, percpu: busy)
    assert hardware.threads() == expected


def test_a_run_that_goes_on_has_those_of_its_start_and_the_users_choice_stays(monkeypatch):
    monkeypatch.setattr(hardware, "_most", lambda: 4)
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval, percpu: [100] * 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert hardware.threads() == 4
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert hardware.threads() == 1
    assert hardware.threads(earlier=3) == 3
    assert hardware.threads(earlier=16) == 4  # begun on a larger machine
