"""A CSV or parquet file as a table of texts, to the letter.

Spreadsheets write CSV in many ways. Separator (comma, semicolon, tab or bar, or what a first line ``sep=`` says),
encoding (UTF-8, UTF-16, or Windows' western one where it is neither), line ends, blank rows and columns, and capitals
in the names of columns are recognised; a warning (``TableNote``) says what was, where it isn't plain CSV.
"""

from __future__ import annotations

import codecs
import csv
import io
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from workbench.data.files.table_checks import Faults

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What Excel writes as plain CSV in western Europe and America.
WINDOWS = "cp1252"


#: So many different values are looked for among those that come again, such as classes and subjects.
FEW = 100_000


class TableNote(UserWarning):
    """How a table was read that is no plain CSV."""


def read(path: Path, faults: Faults, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """All values as text, "" where there is none: names such as "None" or "01" are names.

    columns are the names that are looked for: one of them in the header tells the separator, and other capitals are
    made these. Rows of another length than the header go to ``faults``. FileNotFoundError, or ValueError naming the
    file, and how it was read, where it is no table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}")
    readers = {".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(f"a manifest is a .csv or a .parquet file, got {path}")
    table, notes = readers[path.suffix.lower()](path, faults, columns)
    spelled = {name.casefold(): name for name in columns}
    renamed = {
        name: spelled[name.casefold()]
        for name in table
        if name not in spelled.values() and spelled.get(name.casefold(), name) not in table
    }
    if len(set(renamed.values())) < len(renamed):
        raise ValueError(f"{path} has a column twice but for capitals: {', '.join(renamed)}")
    if renamed:
        notes.append("columns " + ", ".join(f"{old!r} as {new}" for old, new in renamed.items()))
    if notes:
        warnings.warn(f"{path} is read with {'; '.join(notes)}", TableNote, stacklevel=4)
    return table.rename(columns=renamed)


def _csv(path: Path, faults: Faults, columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    text, encoding = _text(path)
    separator, text, more_notes = _separator(text, columns)
    notes = [] if encoding == "utf-8" else [f"encoding {encoding}"]
    notes += [] if separator == "," else [f"{SEPARATORS.get(separator, repr(separator))} between columns"]
    how = f"CSV with {SEPARATORS.get(separator, repr(separator))} in {encoding}"
    # Not StringIO, which keeps four bytes a sign.
    lines = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass")), "utf-8", "surrogatepass", newline="")
    del text
    blank: set[int] = set()
    filled = _filled(csv.reader(lines, delimiter=separator, strict=True), blank)
    try:
        header = [name.strip() for name in next(filled, [])]
        width = len(header) - next((k for k, name in enumerate(reversed(header)) if name), len(header))
        columns_of, wrong = _columns(filled, width)
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as {how}: {error}") from None
    if blank:
        notes.append("blank rows left out, which are not counted")
    has_header, header = bool(header), header[:width]
    if len(set(header)) < len(header):
        raise ValueError(f"{path}, read as {how}, has a column twice: {', '.join(header)}")
    if columns and has_header and not {name.casefold() for name in header} & set(columns):
        names = ", ".join(map(repr, header[:8]))
        raise ValueError(
            f"{path}, read as {how}, has none of the columns {', '.join(columns[:4])}, ...; it has {names}"
        )
    read_as = "" if how == "CSV with commas in utf-8" else f", read as {how}"
    faults.add(f"rows of another number of fields than the header's {width}{read_as}", wrong)
    return pd.DataFrame(dict(zip(header, columns_of, strict=True)), columns=header, dtype=object), notes + more_notes


def _filled(rows: Iterable[list[str]], blank: set[int]) -> Iterator[list[str]]:
    """The rows that say something; the numbers of fields of the others go to ``blank``."""
    for row in rows:
        if any(map(str.strip, row)):
            yield row
        elif row:
            blank.add(len(row))


def _columns(rows: Iterable[list[str]], width: int) -> tuple[list[list[str]], list[str]]:
    """The values column by column, equal ones kept once, and which rows have another number of fields."""
    columns: list[list[str]] = [[] for _ in range(width)]
    interned: dict[str, str] = {}
    wrong = []
    for i, row in enumerate(rows):
        # Spreadsheets add empty fields beyond the header.
        if len(row) < width or any(map(str.strip, row[width:])):
            wrong.append(f"row {i + 1} has {len(row)}")
        if len(row) != width:
            row = (row + [""] * width)[:width]
        for column, value in zip(columns, row, strict=True):
            column.append(interned.setdefault(value, value) if len(interned) < FEW else interned.get(value, value))
    return columns, wrong


def _text(path: Path) -> tuple[str, str]:
    """(what the file says, its encoding)."""
    data = path.read_bytes()
    mark = next((name for sign, name in MARKS if data.startswith(sign)), "")
    if not mark and len(data) > 1 and 0 in data[:2]:
        mark = "utf-16-be" if data[0] == 0 else "utf-16-le"
    for encoding in [mark] if mark else ["utf-8", WINDOWS]:
        try:
            return data.decode(encoding), "utf-8" if encoding == "utf-8-sig" else encoding
        except UnicodeDecodeError as error:
            problem = error
    raise ValueError(f"{path} cannot be read as CSV in {mark or 'UTF-8 or ' + WINDOWS}: {problem}")


def _separator(text: str, columns: tuple[str, ...]) -> tuple[str, str, list[str]]:
    """(separator, the text without a first line that tells it, what else to say)."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    if first.strip().strip('"').lower().startswith("sep=") and len(first.strip().strip('"')) == 5:
        return first.strip().strip('"')[4], rest, ["a first line that tells the separator"]
    header = text.replace("\r", "\n").lstrip("\n").partition("\n")[0]
    fields = {sign: next(csv.reader([header], delimiter=sign), []) for sign in SEPARATORS}
    scores = {sign: len({name.strip().casefold() for name in names} & set(columns)) for sign, names in fields.items()}
    best = max(SEPARATORS, key=lambda sign: (scores[sign], sign == ","))
    if scores[best] or not columns:
        return best, text, []
    try:
        return csv.Sniffer().sniff(text[:10_000], "".join(SEPARATORS)).delimiter, text, []
    except csv.Error:
        return ",", text, []


def _parquet(path: Path, faults: Faults, columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    import pyarrow

    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError, TypeError, KeyError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from None
    table.columns = table.columns.astype(str)
    if not table.columns.is_unique:
        raise ValueError(f"{path} has a column twice: {', '.join(table.columns)}")
    return table.astype(object).where(table.notna(), "").map(str).reset_index(drop=True), []
