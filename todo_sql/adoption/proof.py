"""The proof of a conversion: two databases, one made the old way, one by the new files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from todo_sql.adoption.body import body_of
from todo_sql.adoption.files import adopted
from todo_sql.adoption.old_ledger import LEDGER_KEY
from todo_sql.adoption.revisions import Asked, Half, History
from todo_sql.adoption.tools import Tool
from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.scratch import empty_database, scratch_server
from todo_sql.errors import Place, TodoSqlError
from todo_sql.migrations.files.beside import load_whole
from todo_sql.migrations.migrator import Migrator

if TYPE_CHECKING:
    from todo_sql.config import Config


def differences(
    config: Config, tool: Tool, history: History, folder: Path, source: Path, asked: Asked
) -> list[Difference]:
    """Return how the catalog of the new files differs from that of the old ones.

    Both are made on the scratch server; code in other languages is run by neither.

    Raises:
        TodoSqlError: A file fails there.
    """
    server = scratch_server(config)
    uses = any(one.key == LEDGER_KEY for one in adopted(folder, tool.name))
    with empty_database(server) as url:
        if tool.make is None:
            before = _the_old_way(url, history, tool.ledger.ddl if uses else "")
        else:
            place = tool.make(source, asked, url)
            with psycopg.connect(url, autocommit=True) as connection:
                if not uses:
                    table = sql.Identifier(*filter(None, place))
                    connection.execute(sql.SQL("drop table if exists {}").format(table))
                before = take(connection)
    with empty_database(server) as url:
        Migrator(url, load_whole(folder, config.root)).migrate()
        with psycopg.connect(url, autocommit=True) as connection:
            after = take(connection)
    return compare(before, after)


def _the_old_way(url: str, history: History, ledger: str) -> Snapshot:
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        if ledger:
            connection.execute(ledger.encode())
        for one in history.revisions:
            if one.up is not None:
                _run(connection, one.up)
        connection.execute("reset all")
        return take(connection)


def _run(connection: psycopg.Connection[tuple[object, ...]], half: Half) -> None:
    """Run a file as its tool does: as one message, or statement by statement outside of one."""
    from todo_sql.sql.grammar import GrammarError, parse

    try:
        statements = [one.text for one in parse(half.text)]
    except GrammarError:
        statements = [half.text]
    alone = half.transactional is False or not body_of(half).transactional
    texts = statements if alone else [half.text]
    try:
        for text in texts:
            if text.strip():
                connection.execute(text.encode(), prepare=False)
        connection.execute("reset all")
    except psycopg.Error as error:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.rollback()
        raise TodoSqlError(
            f"{half.file} fails as the other tool would run it: {error.diag.message_primary}",
            code="A130",
            place=Place(half.file, half.line),
            cause="the proof runs the whole history on an empty scratch database",
            fix="what only a superuser may do needs TODO_SQL_REPLAY=superuser"
            if error.sqlstate == "42501"
            else "give that server what the history takes for granted (a role, an extension, a "
            "table that the application makes) in the files, or leave the proof out",
        ) from None
