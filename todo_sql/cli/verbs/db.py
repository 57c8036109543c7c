"""`todo-sql db`: the embedded PostgreSQL of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from typing import Annotated

from typer import Argument, Option, Typer

from todo_sql.cli.commands import Command, Group
from todo_sql.cli.context import Context
from todo_sql.cli.options import Yes
from todo_sql.errors import ExitCode

app = Typer(cls=Group, add_completion=False, help="Start, stop and enter the embedded PostgreSQL.")


@app.command(cls=Command)
def start(
    context: Context,
    adopt: Annotated[
        bool, Option("--adopt", help="Take over a folder that you copied here.")
    ] = False,
) -> ExitCode:
    """Start it, unless it runs; other commands do so by themselves."""
    if adopt:
        context.server.start(adopt=True)
    context.start_server()
    return _report(context)


@app.command(cls=Command)
def stop(context: Context) -> None:
    """Stop it; its data stays."""
    from todo_sql.embedded.server import servers_of

    stopped = sum(server.stop() for server in servers_of(context.config))
    _report(context, "stopped" if stopped else "it was not running")


@app.command(cls=Command)
def status(context: Context) -> ExitCode:
    """Say whether it runs, and where; exit code 1 if it does not."""
    return _report(context)


@app.command(cls=Command)
def url(context: Context) -> None:
    """Print its URL, with the password; starts it."""
    context.output.page("url", context.start_server())


@app.command(cls=Command)
def shell(
    context: Context,
    arguments: Annotated[
        list[str] | None, Argument(metavar="[-- PSQL ARGUMENTS]", help="Arguments of psql.")
    ] = None,
) -> int:
    """Open psql on the database: on DATABASE_URL, where that is set."""
    from todo_sql.embedded.programs import binaries
    from todo_sql.wire.url import DatabaseUrl

    url = DatabaseUrl.parse(context.url())
    config = context.config
    psql = binaries(config.postgres) / "psql"
    # The password goes by the environment, so that no list of processes shows it; the other
    # secrets have no variable, and psql asks for the passphrase of a key.
    environment = {**os.environ, **url.variables}
    environment.pop("PGSERVICE", None)  # the URL has what it says
    words = [str(psql), url.without_secrets().text, *(arguments or [])]
    if sys.platform != "win32":
        os.execve(psql, words, environment)
    return subprocess.run(words, env=environment, check=False).returncode


@app.command(cls=Command)
def reset(context: Context, yes: Yes = False) -> None:
    """Delete all its data and start over."""
    context.output.confirm(f"delete all data in {context.server.folder}?", yes=yes)
    context.server.reset()
    _report(context)


@app.command(cls=Command)
def destroy(context: Context, yes: Yes = False) -> None:
    """Delete all its data, and whatever else it left on this machine."""
    from todo_sql.embedded.server import servers_of

    servers = servers_of(context.config)
    left = [folder for server in servers for folder in server.remains()]
    if left:
        folders = " and ".join(str(folder) for folder in left)
        context.output.confirm(f"stop the server and delete {folders}?", yes=yes)
        for server in servers:
            server.destroy()
    if context.output.json:
        context.output.document({"deleted": [str(folder) for folder in left]})
    for folder in left:
        context.output.message(f"deleted {folder}")
    if not left:
        context.output.message("there is nothing to delete")


def _report(context: Context, said: str | None = None) -> ExitCode:
    from todo_sql.embedded.extensions import stand_ins

    status = context.server.status()
    replaced = stand_ins(context.server.url("postgres")) if status.running else []
    if context.output.json:
        context.output.document(asdict(status) | {"stand_ins": replaced})
    elif said:
        context.output.message(said)
    elif status.running:
        context.output.data(
            f"PostgreSQL {status.version} runs on port {status.port} (pid {status.pid})\n"
            f"data  {status.data}\n"
            f"log   {status.log}"
            + (f"\nstand-ins  {', '.join(replaced)}: not everything works" if replaced else "")
        )
    else:
        context.output.data(f"PostgreSQL {status.version} does not run\ndata  {status.data}")
    return ExitCode.OK if status.running else ExitCode.FINDINGS
