"""The command line: the table of verbs, and what happens around each of them.

A verb is one file, ``cli/<verb>.py``, with one function:

    from typing import Annotated
    import typer                                    # and nothing else that is heavy
    from todo_sql.cli.context import Context
    from todo_sql.errors import ExitCode

    def command(
        context: Context,
        to: Annotated[str | None, typer.Option(metavar="ID", help="Apply up to this one.")] = None,
    ) -> ExitCode | None:
        \"""Apply what is pending.\"""               # shown by `todo-sql migrate --help`
        from todo_sql.migrations.migrator import Migrator   # the room's own imports: late

        migrator = Migrator(context.direct_url(), ...)
        if context.output.json:
            context.output.document({"applied": [...]})     # the one document on stdout
        else:
            context.output.message("applied …")             # stderr; print() is for data only
        return ExitCode.OK

- `context` (see `context.py`) gives `config`, `url()`, `direct_url()`, `output`, `options`;
  global options are not declared by verbs. Typer makes the rest of the signature into
  arguments and options; annotations must be importable at run time.
- Return None or ExitCode.OK when done, ExitCode.FINDINGS for findings or pending work.
  Raise a TodoSqlError for anything else: it is rendered here, with its exit code. A
  KeyboardInterrupt may carry a sentence on the state that things are in.
- A verb appears in help and completion as soon as its file exists; its line, group and
  example stand in VERBS below.

Only the verb that was asked for is imported; `--help` imports none, not even typer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from todo_sql.cli.context import Context, Options, split_options
from todo_sql.cli.output import Output
from todo_sql.cli.verbs import PROGRAM, Verb, available, find, overview, version
from todo_sql.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import typer

COMPLETION_VARIABLE = "_TODO_SQL_COMPLETE"
COMPLETION_OPTIONS = ("--install-completion", "--show-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if COMPLETION_VARIABLE in os.environ or (words and words[0] in COMPLETION_OPTIONS):
        return _complete(words)
    output = Output(json="--json" in words)
    with output.rendering_errors():
        options, rest = split_options(words)
        output.configure(options)
        output.exit_code = _run(options, rest, output) or ExitCode.OK
    return output.exit_code


def _run(options: Options, words: list[str], output: Output) -> int | None:
    if options.version:
        if output.json:
            output.document({"version": version()})
        else:
            output.data(f"{PROGRAM} {version()}")
        return ExitCode.OK
    if not words and options != Options():
        raise UsageError("no command given", fix=f"see `{PROGRAM} --help` for the commands")
    if not words or words[0] in ("--help", "-h"):
        output.data(overview(output.colours_stdout))
        return ExitCode.OK
    if words[0].startswith("-"):
        raise UsageError(
            f"unknown option {words[0]}", fix=f"see `{PROGRAM} --help` for the options"
        )
    verb = find(words[0])
    call = _parse(verb, words[1:], Context(options, output))
    return call() if call else ExitCode.OK


def _parse(verb: Verb, words: list[str], context: Context) -> Callable[[], int | None] | None:
    """Let typer turn the words after the verb into a call; after --help there is none."""
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    _register(app, verb, context)
    # BadParameter's bases: typer has a click of its own since 0.26, elsewhere it is click's.
    click_exception: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        call = app(words, prog_name=f"{PROGRAM} {verb.name}", standalone_mode=False)
    except click_exception as error:
        raise UsageError(
            _sentence(error.format_message()),  # type: ignore[attr-defined]
            fix=f"see `{PROGRAM} {verb.name} --help`",
        ) from None
    return call if callable(call) else None


def _register(app: typer.Typer, verb: Verb, context: Context) -> None:
    app.command(
        verb.name,
        epilog=f"Example: {verb.example}",
        short_help=verb.summary,
        context_settings={"help_option_names": ["--help", "-h"]},
    )(_bound(verb.load(), context))


def _bound(function: Callable[..., int | None], context: Context) -> Callable[..., Any]:
    """Return a callback with the signature of `function` less its context: it only binds."""
    import functools
    import inspect

    signature = inspect.signature(function, eval_str=True)
    parameters = list(signature.parameters.values())[1:]

    def callback(**arguments: Any) -> Callable[[], int | None]:
        return functools.partial(function, context, **arguments)

    callback.__doc__ = function.__doc__
    callback.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {entry.name: entry.annotation for entry in parameters}
    return callback


def _sentence(message: str) -> str:
    """Put typer's sentence into the form of our messages: lower case, no full stop."""
    return (message[:1].lower() + message[1:]).rstrip(".")


def _complete(words: list[str]) -> int:
    """Answer the shell's completion through typer, with every verb registered."""
    import typer

    app = typer.Typer(rich_markup_mode=None)

    @app.callback()
    def global_options(
        project: str = typer.Option("", help="Folder of the project."),
        database: str = typer.Option("", help="URL of the database."),
        json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
        quiet: bool = typer.Option(False, "--quiet", help="Errors and data only."),
        verbose: bool = typer.Option(False, "--verbose", help="More detail."),
        no_color: bool = typer.Option(False, "--no-color", help="No colours."),
    ) -> None:
        """Write plain SQL. Ship it safely. Call it typed."""

    context = Context(Options(), Output())
    for verb in available():
        _register(app, verb, context)
    try:
        app(words, prog_name=PROGRAM)
    except SystemExit as end:
        return int(end.code or 0)
    return ExitCode.OK
