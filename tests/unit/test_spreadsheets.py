"""Manifests as spreadsheets save them: what they say is read, and it is said how."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.data import open_dataset
from workbench.data.files import intervals, text_table
from workbench.data.files.table_checks import Faults
from workbench.data.own.manifest import COLUMNS

ROWS = [["video", "label", "split"], ["v/a.mp4", "wave", "train"], ["v/b.mp4", "jump", "test"]]


@pytest.fixture
def footage(tmp_path):
    (tmp_path / "v").mkdir()
    for name in "ab":
        (tmp_path / "v" / f"{name}.mp4").write_bytes(b"x")
    return tmp_path


def text(separator: str = ",", rows: list = ROWS, newline: str = "\r\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=newline).writerows(rows)
    return out.getvalue()


def opened(folder: Path, data: bytes):
    """(the data set, what was said)"""
    (folder / "m.csv").write_bytes(data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return open_dataset("manifest", folder / "m.csv", split="all"), " | ".join(str(one.message) for one in said)


UPPER = [["Video", "LABEL", "Split"], *ROWS[1:]]
BLANK = [ROWS[0], ["", "", ""], *ROWS[1:], [" ", "", ""]]
WIDE = [[*row, "", ""] for row in ROWS]
BACK = [[row[0].replace("/", "\\"), *row[1:]] for row in ROWS]
LOUD = [ROWS[0], ["v/a.mp4", "wave", "Training"], ["v/b.mp4", "jump", " TEST "]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (text().encode(), ""),
        (text().encode("utf-8-sig"), ""),
        (text(newline="\r").encode(), ""),
        (text(rows=BACK).encode(), ""),
        (text(rows=WIDE).encode(), ""),
        (text(";").encode("utf-8-sig"), "semicolons between columns"),
        (text("\t").encode("utf-16"), "encoding utf-16; tabs between columns"),
        (text("\t").encode("utf-16-le"), "encoding utf-16-le"),
        (text("|").encode(), "bars between columns"),
        (("sep=;\r\n" + text(";")).encode(), "a first line that tells the separator"),
        (('"sep=,"\r\n' + text()).encode(), "a first line that tells the separator"),
        (text(rows=UPPER).encode(), "columns 'Video' as video, 'LABEL' as label, 'Split' as split"),
        (text(rows=BLANK).encode(), "blank rows left out"),
        (text(rows=LOUD).encode(), "split is read with 'Training' as train, ' TEST ' as test"),
    ],
)
def test_what_spreadsheets_write_is_read_and_said(footage, data, said):
    found, told = opened(footage, data)
    assert found.ids == ["v/a", "v/b"] and found.classes == ["jump", "wave"]
    assert found.table["split"].tolist() == ["train", "test"]
    assert said in told and bool(said) == bool(told)


def test_windows_names_are_read_in_windows_encoding(footage):
    (footage / "v" / "tür.mp4").write_bytes(b"x")
    rows = [ROWS[0], ["v/tür.mp4", "schließen", "train"]]
    found, said = opened(footage, text(";", rows).encode("cp1252"))
    assert found.classes == ["schließen"] and "encoding cp1252; semicolons" in said


def test_what_cannot_be_used_names_how_it_was_read(footage):
    with pytest.raises(ValueError, match=r"m.csv, read as CSV with semicolons in utf-8, has none of .* it has 'clip'"):
        opened(footage, b"clip;klass\r\na;b\r\na;b\r\n")
    with pytest.raises(ValueError, match="header's 3, read as CSV with semicolons in utf-8 .1.: row 2 has 2"):
        opened(footage, (text(";") + "v/b.mp4;jump\r\n").replace("v/b.mp4;jump;test\r\n", "").encode())
    with pytest.raises(ValueError, match="cannot be read as CSV in utf-16"):
        opened(footage, text().encode("utf-16") + b"\x00")


def test_numbers_with_commas_are_numbers(footage):
    rows = [[*ROWS[0], "frames", "fps"], [*ROWS[1], "50", "29,97"], [*ROWS[2], "50", "25"]]
    assert opened(footage, text(";", rows).encode())[0].rates.tolist() == [29.97, 25]
    assert intervals.parse("0,2 0,9 wave; 1 2.5 sit") == [("wave", 0.2, 0.9), ("sit", 1.0, 2.5)]


def test_moments_are_read_as_players_show_them():
    assert intervals.parse("1:05.5 0:02:00 wave") == [("wave", 65.5, 120.0)]
    for wrong in ("1:75 2:00 x", "a:1 2 x", "1:2:3:4 9999 x", "-1:10 20 x", "5 4 x", "1,2,3 4 x"):
        with pytest.raises(ValueError, match=re.escape(f"{wrong!r} is not 'start end label'")):
            intervals.parse(wrong)


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_comes_back_to_the_letter(tmp_path, rows, separator, encoding, newline):
    rows = [("v" + name, label) for name, label in rows]
    path = tmp_path / "t.csv"
    path.write_bytes(text(separator, [("video", "label"), *rows], newline).encode(encoding))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", text_table.TableNote)
        found = text_table.read(path, Faults(path), COLUMNS)
    assert found.to_numpy().tolist() == [list(row) for row in rows]
