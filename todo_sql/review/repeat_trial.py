"""Repeatable files on a copy: as the migrator runs those that replace what others stand on."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff

import psycopg

from todo_sql.errors import Finding, TodoSqlError
from todo_sql.migrations.connecting import open_link
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.remake import Remake
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.progress import Events
from todo_sql.review.copy import Copy


def difference(former: Script | None, script: Script) -> str:
    """Return the difference between the text that ran last and the file; all of a new one."""
    before = former.source.text.splitlines() if former else []
    lines = unified_diff(before, script.source.text.splitlines(), lineterm="", n=2)
    return "\n".join(list(lines)[2:])


def remade(
    copied: Copy,
    script: Script,
    others: Sequence[Script],
    settings: Settings,
    number: int,
    error: psycopg.Error,
) -> tuple[list[str], Finding | None] | None:
    """Run a file on a copy, where one of its statements could not replace what is there.

    Returns:
        What is dropped and made again, and why it cannot be; None: it failed for another reason.
    """
    with open_link(copied.url, writes=True) as link:
        link.settings = settings
        remake = Remake(link, script, [script], Events(), lambda _: (), others=others)
        if not remake.takes(Failure(error, number)):
            return None
        link.take_lock(None, Events())
        try:
            remake.run()
        except TodoSqlError as refused:
            return sorted(remake.taken), refused.finding
        return sorted(remake.taken), None
