"""The command line: what happens around a verb.

A verb is one file, ``cli/verbs/<verb>.py``, with one function:

    from typing import Annotated
    from typer import Argument, Option
    from todo_sql.cli.context import Context
    from todo_sql.errors import ExitCode

    def command(
        context: Context,
        to: Annotated[str | None, Option(metavar="ID", help="Apply up to this one.")] = None,
        dry_run: Annotated[bool, Option("--dry-run", help="Show the SQL only.")] = False,
    ) -> ExitCode | None:
        \"""Apply what is pending.\"""               # shown by `todo-sql migrate --help`
        from todo_sql.migrations.migrator import Migrator   # the room's own imports: late

        migrator = Migrator(context.direct_url(), ...)
        if context.output.json:
            context.output.document({"applied": [...]})     # the one document on stdout
        else:
            context.output.message("applied …")             # stderr; data() is for stdout
        return ExitCode.OK

- `context` (see `context.py`) gives `config`, `url()`, `direct_url()`, `output`, `options`;
  global options are not declared by verbs. Annotations must be importable at run time.
- Return None or ExitCode.OK when done, ExitCode.FINDINGS for findings or pending work.
  Raise a TodoSqlError for anything else: it is rendered here, with its exit code. A
  KeyboardInterrupt may carry a sentence on the state that things are in.
- A verb appears in help and completion as soon as its file exists; its line, group and
  example stand in the table in `table.py`.

Only the verb that was asked for is imported; `--help` imports none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from todo_sql.cli.context import Context, Options, split_options
from todo_sql.cli.output import Output
from todo_sql.cli.table import PROGRAM, find
from todo_sql.errors import ExitCode, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(json="--json" in words)
    with output.rendering_errors():
        output.exit_code = _run(words, output) or ExitCode.OK
    return output.exit_code


def _run(words: list[str], output: Output) -> int | None:
    if os.environ.get("_TODO_SQL_COMPLETE"):
        from todo_sql.cli.completion import candidates

        for candidate in candidates(words):
            output.data(candidate)
        return ExitCode.OK
    options, rest = split_options(words)
    output.configure(options)
    if options.version or options.completion or not rest or rest[0].startswith("-"):
        return _answer(options, rest, output)
    return _call(rest[0], rest[1:], Context(options, output))


def _answer(options: Options, words: list[str], output: Output) -> ExitCode:
    """Do what is asked for without a verb: the version, completion or help."""
    if options.version:
        from importlib.metadata import version

        number = version("todo-sql")
        if output.json:
            output.document({"version": number})
        else:
            output.data(f"{PROGRAM} {number}")
    elif options.completion:
        from todo_sql.cli.completion import script

        output.data(script(options.completion))
    elif words and words[0] not in ("--help", "-h"):
        raise UsageError(f"unknown option {words[0]}", fix=f"see `{PROGRAM} --help`")
    elif not words and options != Options():
        raise UsageError("no command given", fix=f"see `{PROGRAM} --help` for the commands")
    else:
        from todo_sql.cli.help import overview

        output.data(overview(output.colours_stdout))
    return ExitCode.OK


def _call(name: str, words: list[str], context: Context) -> int | None:
    verb = find(name)
    from todo_sql.cli.parse import parse

    arguments = parse(verb, words)
    return ExitCode.OK if arguments is None else verb.load()(context, **arguments)
