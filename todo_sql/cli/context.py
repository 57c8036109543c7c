"""What a verb is given: the global options, resolved into configuration and URLs."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from todo_sql.cli.output import Output

if TYPE_CHECKING:
    from todo_sql.config import Config
    from todo_sql.embedded.server import EmbeddedServer


class Context(typer.Context):
    """The surroundings of one run of a verb."""

    @property
    def output(self) -> Output:
        """Where data and messages go."""
        output: Output = self.obj
        return output

    @cached_property
    def config(self) -> Config:
        """The project's configuration; ``--database`` overrides every URL in it."""
        from todo_sql.config import load_config

        given = self.find_root().params
        environment = dict(os.environ)
        if given["database"]:
            environment["DATABASE_URL"] = given["database"]
            environment["TODO_SQL_DIRECT_URL"] = ""
            environment["TODO_SQL_REPLICA_URL"] = ""
        return load_config(given["project"], environment=environment)

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
