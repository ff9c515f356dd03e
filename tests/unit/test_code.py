"""The fingerprint of the code behind a run changes with that code, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.study.runs import code_fingerprint


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Puts a copy of the library in its place; returns a function that edits a file and gives the new fingerprint."""
    unread = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for package in code_fingerprint.PACKAGES:
        shutil.copytree(code_fingerprint.ROOT / package, tmp_path / package, ignore=unread)
    monkeypatch.setattr(code_fingerprint, "ROOT", tmp_path)

    def edit(file: str, text: str, system: str = "vpn") -> str:
        path: Path = tmp_path / file
        path.write_text(path.read_text() + text)
        code_fingerprint.fingerprint.cache_clear()
        code_fingerprint._content.cache_clear()
        return code_fingerprint.fingerprint(system, "synthadl")

    yield edit
    code_fingerprint.fingerprint.cache_clear()
    code_fingerprint._content.cache_clear()


def test_it_follows_what_the_system_imports_and_no_other_system(changed):
    before = changed("workbench/systems/vpn/vpn.py", "")
    assert changed("workbench/systems/vpn/vpn.py", "\n# a comment\n") == before
    assert changed("workbench/systems/thesis/p_i3d.py", "\nEXTRA = 1\n") == before
    assert changed("workbench/metrics/statistics.py", "\nEXTRA = 1\n") == before
    assert changed("workbench/show/player.py", "\nEXTRA = 1\n") == before
    after = changed("workbench/systems/vpn/vpn.py", "\nEXTRA = 1\n")
    assert after != before
    # Through others: the loop, the video network, the decoder, what writes files whole.
    files = (
        "workbench/study/train/loop.py",
        "workbench/nets/video/i3d.py",
        "workbench/media/video.py",
        "safefiles/drafts.py",
    )
    for file in files:
        again = changed(file, "\nEXTRA = 1\n")
        assert again != after
        after = again
