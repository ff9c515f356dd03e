"""The commands: ``python -m workbench COMMAND --help``. Each is a thin call into the library. Its parameters are what
the command takes (after ``*`` by name, as options), its docstring is the help."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import BoundArguments

from cyclopts import App, CycloptsError, Parameter

from workbench import boundary
from workbench.commands import analysis, inputs, lessons, pages, training, world

app = App(
    "python -m workbench",
    help="video + pose action recognition workbench",
    help_format="plaintext",
    version_flags=(),
    default_parameter=Parameter(negative=(), consume_multiple=1, json_list=False),
)
for function in (
    *(world.synth, world.new, lessons.slides, lessons.solve),
    *(training.train, training.pretrain, training.sweep),
    *(analysis.profile, analysis.sensitivity, analysis.score),
    *(inputs.wizard, inputs.prepare, inputs.doctor),
    *(pages.render, pages.gallery, pages.demo),
):
    app.command(function)


def parse(words: Sequence[str]) -> tuple[Callable[..., int | None], BoundArguments]:
    """The command that ``words`` name, and its arguments, defaults too; boundary.Usage where they are typed wrongly."""
    if not words:
        raise boundary.Usage(f"a command is missing ({app.name[0]} --help)")
    try:
        command, arguments, _ = app.parse_args(words, exit_on_error=False, print_error=False, verbose=False)
    except CycloptsError as problem:
        message = " ".join(str(problem).replace("Unused Tokens", "Unexpected words").split())
        raise boundary.Usage(f"{message} ({' '.join([*app.name, *(problem.command_chain or ()), '--help'])})") from None
    arguments.apply_defaults()
    return command, arguments


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command that ``words`` are (those of the command line), and returns its exit code."""

    def command() -> int | None:
        function, arguments = parse(sys.argv[1:] if words is None else words)
        return function(*arguments.args, **arguments.kwargs)

    return boundary.run(command)
