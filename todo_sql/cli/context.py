"""What a verb is given: the global options, resolved into configuration and URLs."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from todo_sql.cli.output import Output
from todo_sql.errors import UsageError

if TYPE_CHECKING:
    from todo_sql.config import Config
    from todo_sql.embedded.server import EmbeddedServer
    from todo_sql.wire.url import DatabaseUrl


def environment_for(url: str | None) -> dict[str, str]:
    """Return the environment, in which a URL that is given stands for every one."""
    others = {"TODO_SQL_DIRECT_URL": "", "TODO_SQL_REPLICA_URL": ""}
    return {**os.environ, **({"DATABASE_URL": url, **others} if url else {})}


class Context(typer.Context):
    """The surroundings of one run of a verb.

    Attributes:
        is_new: Whether no project was found, and the working directory is to become one.
    """

    is_new = False

    @property
    def output(self) -> Output:
        """Where data and messages go."""
        output: Output = self.obj
        return output

    @cached_property
    def config(self) -> Config:
        """The project's configuration; ``--database`` overrides every URL in it."""
        from todo_sql.config import NoProject, config_of_migrations, load_config

        given = self.find_root().params
        environment = environment_for(given["database"])
        try:
            return load_config(given["project"], environment=environment)
        except NoProject:
            makes_project = self.info_name == "import"
            folder = self.params.get("migrations") or ("migrations" if makes_project else None)
            if given["project"] is not None or folder is None:
                raise
            self.is_new = True
            return config_of_migrations(Path(folder), environment)

    @property
    def own_config(self) -> Config:
        """The configuration of a project whose files may be written.

        Raises:
            UsageError: It is the one that the wheel carries.
        """
        if self.config.packaged:
            raise UsageError(
                "the Todo project that todo-sql carries is read-only",
                code="U219",
                fix="run the command in your project's folder, or name it with `--project DIR`",
            )
        return self.config

    @cached_property
    def server(self) -> EmbeddedServer:
        """The project's embedded PostgreSQL; nothing is started."""
        from todo_sql.embedded.server import server_for

        return server_for(self.config)

    def url(self) -> str:
        """Return the URL of the database: the one given, else the embedded server's.

        The embedded server is started when it does not run.
        """
        return self._parsed(self.config.database_url).text

    def direct_url(self) -> str:
        """Return the URL for migrations: past a pooler, so that a session is a session.

        Its sessions run as the role of the configuration.
        """
        url, role = self._parsed(self.config.direct_url).direct(), self.config.role
        return (url if role is None else url.as_role(role)).text

    def _parsed(self, given: str | None) -> DatabaseUrl:
        from todo_sql.wire.url import DatabaseUrl

        return DatabaseUrl.parse(given or self.start_server())

    def start_server(self) -> str:
        """Start the embedded server unless it runs, and return the URL of its database."""
        if not self.server.status().running:
            self.output.message("starting the embedded PostgreSQL …")
        return self.server.ensure_running()
