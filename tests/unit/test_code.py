"""The fingerprint of the code behind a run changes with that code, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.study.runs import code_fingerprint


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Puts a copy of the package in its place; returns a function that edits a file and gives the new fingerprint."""
    root = tmp_path / "workbench"
    shutil.copytree(code_fingerprint.ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    monkeypatch.setattr(code_fingerprint, "ROOT", root)

    def edit(file: str, text: str, system: str = "vpn") -> str:
        path: Path = root / file
        path.write_text(path.read_text() + text)
        code_fingerprint.fingerprint.cache_clear()
        code_fingerprint._content.cache_clear()
        return code_fingerprint.fingerprint(system, "synthadl")

    yield edit
    code_fingerprint.fingerprint.cache_clear()
    code_fingerprint._content.cache_clear()


def test_it_follows_what_the_system_imports_and_no_other_system(changed):
    before = changed("systems/vpn.py", "")
    assert changed("systems/vpn.py", "\n# a comment\n") == before
    assert changed("systems/p_i3d.py", "\nEXTRA = 1\n") == before
    assert changed("metrics/statistics.py", "\nEXTRA = 1\n") == before
    assert changed("show/player.py", "\nEXTRA = 1\n") == before
    after = changed("systems/vpn.py", "\nEXTRA = 1\n")
    assert after != before
    # Through others: the loop, the video network, the decoder.
    for file in ("study/loop.py", "nets/i3d.py", "media/video.py"):
        found = next(path for path in (file, "nets/video/i3d.py") if (code_fingerprint.ROOT / path).is_file())
        again = changed(found, "\nEXTRA = 1\n")
        assert again != after
        after = again
