"""`todo-sql docs`: write the documents of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_sql import writing
from todo_sql.cli.context import Context
from todo_sql.cli.options import OnlyCheck
from todo_sql.cli.verbs.generate import tell
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.config import Config


def command(context: Context, check: OnlyCheck = False) -> ExitCode:
    """Write schema.md, migrations.md, schema.sql and schema.html."""
    config = context.own_config
    files = _render(config)
    stale = [
        name
        for name, text in files.items()
        if not (config.specs / name).is_file()
        or (config.specs / name).read_text(encoding="utf-8", errors="replace") != text
    ]
    if not check:
        with writing.folder(config.specs, config.root) as place:
            for name in stale:
                place.write(name, files[name])
    return tell(context, "docs", config.specs, stale, of=len(files), check=check)


def _render(config: Config) -> dict[str, str]:
    """Return the text of each file, by name."""
    import psycopg

    from todo_sql.catalog import document, page, schema_sql
    from todo_sql.catalog.snapshot import take
    from todo_sql.compiler.scratch import migrated_database
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.queries.loader import load_folder
    from todo_sql.review import history
    from todo_sql.review.index_use import fill, serving

    migrations = load_project(config)
    changes = history.changes(migrations)
    queries = load_folder(config.queries, config.root) if config.queries.is_dir() else {}
    loaded = migrated_database(config, "documented", lambda url: fill(url, config))
    with psycopg.connect(loaded, autocommit=True) as connection:
        snapshot = take(connection)
        parents = {i.name: i["partition_of"] for i in snapshot.of("index") if i["partition_of"]}
        used = serving(connection, queries, config.tenant, parents)
    return {
        "schema.md": document.schema(snapshot, used),
        "migrations.md": document.migrations(changes, history.beside(migrations)),
        "schema.sql": schema_sql.render(snapshot),
        "schema.html": page.render(snapshot, changes, used),
    }
