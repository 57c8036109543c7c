"""The command line: a Typer application whose verbs are loaded when they are called.

A verb is one file, ``cli/verbs/<verb>.py``, and a line in the table in `table.py`:

    def command(
        context: Context,
        to: Annotated[str | None, Option(metavar="ID", help="Apply up to this one.")] = None,
        dry_run: Annotated[bool, Option("--dry-run", "-n", help="Show the SQL only.")] = False,
    ) -> ExitCode | None:
        \"""Apply what is pending.\"""               # shown by `todo-sql migrate --help`
        from todo_sql.migrations.migrator import Migrator   # the room's own imports: late

        migrator = Migrator(context.direct_url(), ...)
        if context.output.json:
            context.output.document({"applied": [...]})     # the one document on stdout
        else:
            context.output.message("applied …")             # stderr; data() is for stdout
        return ExitCode.OK

- `Context` (see `context.py`) is Typer's, with `config`, `url()`, `direct_url()`, `output`;
  global options are not declared by verbs. Annotations must be importable at run time.
- Return None or ExitCode.OK when done, ExitCode.FINDINGS for findings or pending work.
  Raise a TodoSqlError for anything else: it is rendered here, with its exit code. A
  KeyboardInterrupt may carry a sentence on the state that things are in.
- A verb with verbs of its own has an `app` in place of `command`, as `db` has.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from typer import Option
from typer.main import get_command

from todo_sql.cli.commands import Verbs
from todo_sql.cli.context import Context
from todo_sql.cli.output import Output
from todo_sql.cli.table import PROGRAM
from todo_sql.errors import ExitCode, UsageError

app = typer.Typer(
    name=PROGRAM,
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or clean, 1 findings or pending, 2 usage or configuration, "
    "3 database error, 70 internal error, 74 output not written, 130 stopped, 141 broken pipe.",
)


def _show_version(context: Context, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import version

    number = version(PROGRAM)
    if context.output.json:
        context.output.document({"version": number})
    else:
        context.output.data(f"{PROGRAM} {number}")
    raise typer.Exit


@app.callback()
def options(
    project: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Folder of the project; default: the nearest one, upwards. "
            "`todo`: the one that todo-sql carries.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        Option(metavar="URL", help="Instead of DATABASE_URL or the embedded PostgreSQL."),
    ] = None,
    json: Annotated[bool, Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Data and errors only.")] = False,
    verbose: Annotated[
        bool,
        Option("--verbose", "-v", help="More detail; a traceback when something unexpected fails."),
    ] = False,
    no_color: Annotated[bool, Option("--no-color", help="No colours (also NO_COLOR).")] = False,
    version: Annotated[
        bool,
        Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """Write plain SQL. Ship it safely. Call it typed.

    The options below may stand before or after the command.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    output = Output()
    with output.rendering_errors():
        output.exit_code = _run(words, output) or ExitCode.OK
    return output.exit_code


def _run(words: list[str], output: Output) -> int | None:
    command = get_command(app)
    if f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE" in os.environ:
        command.main(words, PROGRAM, obj=output)  # answers the shell, and exits
    try:
        with command.make_context(PROGRAM, words, obj=output) as context:
            code: int | None = command.invoke(context)
            return code
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise _usage_error(error) from None


def _usage_error(error: typer.TyperException) -> UsageError:
    """Return what typer says of wrong words, in the shape of every error."""
    message, _, meant = error.format_message().partition(" Did you mean ")
    if possible := getattr(error, "possibilities", None):
        wrong = getattr(error, "option_name", "").strip("-")  # hyphens make no likeness
        alike = [one for one in possible if get_close_matches(wrong, [one.strip("-")])]
        message, meant = error.message, "".join(f" or `{one}`" for one in alike)[4:]
        meant += "?" if meant else ""
    context = getattr(error, "ctx", None)
    page = context.command_path if context else PROGRAM
    if context and not meant and (option := getattr(error, "option_name", None)):
        # A global option, perhaps: the verb does not know them.
        names = [name for one in context.find_root().command.params for name in one.opts]
        meant = "".join(f"`{name}`?" for name in get_close_matches(option, names, 1))
    meant = re.sub(r"'([^']+)'", rf"`{page} \1`", meant).replace("`, `", "` or `")
    message = message.rstrip(".").replace("Value error, ", "")
    return UsageError(
        message[:1].lower() + message[1:],
        fix=f"did you mean {meant}" if meant else f"see `{page} --help`",
    )
