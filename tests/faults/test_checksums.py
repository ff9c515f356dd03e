"""A file that is looked at while it is written is whole, and one that is damaged is not."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from safefiles import checksums

WRITER = """
import sys
from safefiles import checksums
for i in range(100):
    checksums.write(sys.argv[1], b"x" * (i % 7 + 1) + str(i).encode())
"""


@pytest.mark.parametrize("writes", [1, 2, 3])
@pytest.mark.parametrize("size", ["other", "same"])
def test_a_file_that_is_written_between_two_looks_is_whole(tmp_path, monkeypatch, writes, size):
    path, states = tmp_path / "history.csv", checksums._states
    checksums.write(path, b"first")
    waiting = [b"again" if size == "same" else b"x" * n for n in range(20, 20 + writes)]

    def late(asked):
        """What was noted before the writes that come now."""
        noted = states(asked)
        while waiting:
            checksums.write(path, waiting.pop() + str(len(waiting)).encode())
        return noted

    monkeypatch.setattr(checksums, "_states", late)
    assert checksums.damage(path) == "" and checksums.intact(path)


def test_a_file_that_is_damaged_between_two_writes_is_told(tmp_path, monkeypatch):
    path, states = tmp_path / "history.csv", checksums._states
    checksums.write(path, b"first")
    writes = [b"second", b"the third"]

    def late(asked):
        noted = states(asked)
        if writes:
            checksums.write(path, writes.pop())
            path.write_bytes(b"neither of them")
        return noted

    monkeypatch.setattr(checksums, "_states", late)
    assert "is damaged (15 bytes" in checksums.damage(path)


def test_beside_a_process_that_writes_without_a_pause_nothing_looks_damaged(tmp_path):
    path = tmp_path / "history.csv"
    checksums.write(path, b"first")
    looks, writer = 0, subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    while writer.poll() is None:
        assert checksums.damage(path) == ""
        looks += 1
        time.sleep(0)
    assert writer.returncode == 0 and looks > 20
