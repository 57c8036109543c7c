"""What a verb is given: the global options, resolved into configuration and URLs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_sql.errors import UsageError

if TYPE_CHECKING:
    from todo_sql.cli.output import Output
    from todo_sql.config import Config
    from todo_sql.embedded.server import EmbeddedServer

FLAGS = {
    "--json": "json",
    "--quiet": "quiet",
    "--verbose": "verbose",
    "--no-color": "no_color",
    "--version": "version",
}
VALUES = {"--project": "project", "--database": "database", "--completion": "completion"}


@dataclass(frozen=True, slots=True)
class Options:
    """The options that every command takes."""

    project: str | None = None
    database: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    version: bool = False
    completion: str | None = None


def split_options(words: list[str]) -> tuple[Options, list[str]]:
    """Take the global options out of the words, wherever they stand before a ``--``.

    Raises:
        UsageError: An option lacks its value.
    """
    found: dict[str, Any] = {}
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *remaining]
        elif word in FLAGS:
            found[FLAGS[word]] = True
        elif name in VALUES:
            given = value if equals else next(remaining, None)
            if not given:
                raise UsageError(f"option {name} needs a value", fix=f"write it as {name} VALUE")
            found[VALUES[name]] = given
        else:
            rest.append(word)
    return Options(**found), rest


class Context:
    """The surroundings of one run of a verb.

    Attributes:
        options: The global options as given.
        output: Where data and messages go.
    """

    def __init__(self, options: Options, output: Output) -> None:
        self.options = options
        self.output = output

    @cached_property
    def config(self) -> Config:
        """The project's configuration; ``--database`` overrides every URL in it."""
        from todo_sql.config import load_config

        environment = dict(os.environ)
        if self.options.database:
            environment["DATABASE_URL"] = self.options.database
            environment["TODO_SQL_DIRECT_URL"] = ""
            environment["TODO_SQL_REPLICA_URL"] = ""
        project = self.options.project
        return load_config(Path(project) if project else None, environment=environment)

    @cached_property
    def server(self) -> EmbeddedServer:
        """The project's embedded PostgreSQL; nothing is started."""
        from todo_sql.embedded.server import server_for

        return server_for(self.config)

    def url(self) -> str:
        """Return the URL of the database: the one given, else the embedded server's.

        The embedded server is started when it does not run.
        """
        return self._url(self.config.database_url, direct=False)

    def direct_url(self) -> str:
        """Return the URL for migrations: past a pooler, so that a session is a session."""
        return self._url(self.config.direct_url, direct=True)

    def _url(self, given: str | None, *, direct: bool) -> str:
        if given is None:
            return self.start_server()
        from todo_sql.wire.url import DatabaseUrl

        url = DatabaseUrl.parse(given)
        return (url.direct() if direct else url).text

    def start_server(self) -> str:
        """Start the embedded server unless it runs, and return the URL of its database."""
        if not self.server.status().running:
            self.output.message("starting the embedded PostgreSQL …")
        return self.server.ensure_running()
