"""What the parameters of commands hold, and the folders that they name where nobody says another."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter, Token

CACHE, RUNS, PAGES, TINY = "data/cache", Path("runs"), Path("gallery"), Path("data/synthadl/tiny")
#: The command as it was typed, without the folder of this machine.
TYPED = f"python -m workbench {shlex.join(sys.argv[1:])}".replace(f"{Path.cwd()}/", "")


def _whole(kind: type, tokens: Sequence[Token]) -> int:
    if not re.fullmatch("[+-]?[0-9]+", tokens[0].value):
        raise ValueError(f"{tokens[0].value!r} is not a whole number.")
    return int(tokens[0].value)


#: What parameters hold; cyclopts alone would take 2.7 for the whole number 3.
Whole = Annotated[int, Parameter(converter=_whole)]
Flag = Annotated[bool, Parameter(show_default=False)]
Number: TypeAlias = Whole | None
Text: TypeAlias = str | None
File: TypeAlias = Path | None
Words: TypeAlias = Sequence[str] | None
Pairs = Annotated[Sequence[str], Parameter("--set", consume_multiple=True, metavar="NAME=VALUE...", show_default=False)]
#: What several commands have.
Runs = Annotated[Path, Parameter(help="folder of the run store")]
Data = Annotated[Path, Parameter(help="folder or manifest of the data")]
Pages = Annotated[Path, Parameter(help="folder to write to")]
Notebooks = Annotated[Words, Parameter(help="only these notebooks, such as 06_confusion")]
Workers = Annotated[Number, Parameter(help="number of parallel workers (default: one for each core)")]
