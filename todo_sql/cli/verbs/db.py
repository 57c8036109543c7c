"""`todo-sql db`: the embedded PostgreSQL of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from enum import StrEnum
from typing import Annotated

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.errors import ExitCode, UsageError


class Action(StrEnum):
    """What to do with the embedded server."""

    START = "start"
    STOP = "stop"
    STATUS = "status"
    URL = "url"
    SHELL = "shell"
    RESET = "reset"
    DESTROY = "destroy"


def command(
    context: Context,
    action: Annotated[
        Action,
        Argument(metavar="ACTION", help="start, stop, status, url, shell, reset or destroy."),
    ],
    arguments: Annotated[
        list[str] | None,
        Argument(help="For `shell`, after a --: arguments of psql."),
    ] = None,
    yes: Annotated[bool, Option("--yes", help="For `reset` and `destroy`: do not ask.")] = False,
) -> ExitCode | int:
    """Start, stop and enter the embedded PostgreSQL.

    start    start it, unless it runs; other commands do so by themselves
    stop     stop it; its data stays
    status   say whether it runs, and where; exit code 1 if it does not
    url      print its URL, with the password; starts it
    shell    open psql on the database: on DATABASE_URL, where that is set
    reset    delete all its data and start over
    destroy  delete all its data, and whatever else it left on this machine
    """
    if arguments and action is not Action.SHELL:
        raise UsageError(f"`db {action}` takes no further arguments")
    match action:
        case Action.START:
            context.start_server()
            _report(context)
        case Action.STOP:
            stopped = context.server.stop()
            _report(context, "stopped" if stopped else "it was not running")
        case Action.STATUS:
            return _report(context)
        case Action.URL:
            url = context.start_server()
            if context.output.json:
                context.output.document({"url": url})
            else:
                context.output.data(url)
        case Action.SHELL:
            return _shell(context, arguments or [])
        case Action.RESET:
            context.output.confirm(f"delete all data in {context.server.status().data}?", yes=yes)
            context.server.reset()
            _report(context)
        case Action.DESTROY:
            _destroy(context, yes=yes)
    return ExitCode.OK


def _report(context: Context, said: str | None = None) -> ExitCode:
    status = context.server.status()
    if context.output.json:
        context.output.document(
            {
                "running": status.running,
                "version": status.version,
                "port": status.port,
                "pid": status.pid,
                "data": str(status.data),
                "log": str(status.log),
            }
        )
    elif said:
        context.output.message(said)
    elif status.running:
        context.output.data(
            f"PostgreSQL {status.version} runs on port {status.port} (pid {status.pid})\n"
            f"data  {status.data}\n"
            f"log   {status.log}"
        )
    else:
        context.output.data(f"PostgreSQL {status.version} does not run\ndata  {status.data}")
    return ExitCode.OK if status.running else ExitCode.FINDINGS


def _destroy(context: Context, *, yes: bool) -> None:
    left = context.server.remains()
    if left:
        folders = " and ".join(str(folder) for folder in left)
        context.output.confirm(f"stop the server and delete {folders}?", yes=yes)
        context.server.destroy()
    if context.output.json:
        context.output.document({"deleted": [str(folder) for folder in left]})
    for folder in left:
        context.output.message(f"deleted {folder}")
    if not left:
        context.output.message("there is nothing to delete")


def _shell(context: Context, arguments: list[str]) -> int:
    """Run psql on the database; it takes over the terminal, or reads what is piped in."""
    from todo_sql.embedded.programs import binaries
    from todo_sql.wire.url import DatabaseUrl

    url = DatabaseUrl.parse(context.url())
    config = context.config
    psql = binaries(config.postgres, config.environment) / "psql"
    # The password goes by the environment, so that no list of processes shows it.
    environment = {**os.environ, "PGPASSWORD": url.parameters.get("password", "")}
    safe = DatabaseUrl({k: v for k, v in url.parameters.items() if k != "password"})
    words = [str(psql), safe.text, *arguments]
    if sys.platform != "win32":
        os.execve(psql, words, environment)
    return subprocess.run(words, env=environment, check=False).returncode
