"""Runs a file statement by statement, each in a transaction of its own.

Before a statement its intent is written into the ledger, after it that it is done. So
a later run knows what was done, and which one statement is of unknown fate.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

from todo_sql.migrations import explain
from todo_sql.migrations.connection import Link
from todo_sql.migrations.errors import LockNotHeld
from todo_sql.migrations.files import Migration, Script
from todo_sql.migrations.flight import Command, Flight
from todo_sql.migrations.ledger import Direction, Progress, Step, Writer
from todo_sql.migrations.progress import Events
from todo_sql.migrations.rerun import is_concurrent, is_session_setting
from todo_sql.migrations.transactional import LOCK_TIMEOUT
from todo_sql.sql.grammar import Statement

_RESET = (
    "reset session authorization",
    "reset role",
    "reset all",
    "discard temp",
    "unlisten *",
    "close all",
    "deallocate all",
)


def run(
    link: Link,
    writer: Writer,
    migration: Migration,
    script: Script,
    direction: Direction,
    events: Events,
    again: str,
) -> None:
    """Run a file from where an earlier run left it, and record it.

    Raises:
        MigrationFailed: A statement failed; those before it are done and recorded.
        LockNotHeld: This backend does not hold the migration lock.
    """
    began = time.monotonic()
    recorded = link.ledger.by_id.get(migration.id)
    progress = (recorded and recorded.progress) or Progress(direction)
    if progress.direction != direction:
        progress = Progress(direction)
    for number, statement in enumerate(script.statements):
        if number < len(progress.steps) and progress.steps[number].done:
            if is_session_setting(statement):
                _execute(link, statement, script, number, events, again)
            continue
        step = Step(statement_hash(statement), statement.text, False)
        progress = replace(progress, steps=(*progress.steps[:number], step))
        _record(link, writer.progress(migration.id, progress))
        _execute(link, statement, script, number, events, again)
        progress = replace(progress, steps=(*progress.steps[:number], replace(step, done=True)))
        _record(link, writer.progress(migration.id, progress))
    if direction == "apply":
        seconds = time.monotonic() - began
        last = writer.applied(migration.id, script.checksum, seconds=seconds)
    else:
        last = writer.rolled_back(migration.id)
    _record(link, last)


def statement_hash(statement: Statement) -> str:
    """Return the hash by which the ledger knows a statement; line endings do not count."""
    text = statement.text.replace("\r\n", "\n")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _record(link: Link, commands: Sequence[Command]) -> None:
    """Change the ledger in a transaction that proves that we hold the lock."""
    resets = [Command(text) for text in _RESET]
    answers = Flight(
        link.connection,
        [Command("begin read write"), *resets, link.lock.require(), *commands, Command("commit")],
    ).fly()
    for index, answer in enumerate(answers):
        if answer.error is None:
            continue
        link.roll_back()
        if index == len(resets) + 1:
            raise LockNotHeld(
                "this session lost the migration lock",
                code="M312",
                cause="a pooler, a reconnect or an unlock came between",
                fix="connect to the server directly and run the command again",
            )
        raise answer.error


def _settings(script: Script, statement: Statement) -> Command:
    directives = script.directives
    values = {"lock_timeout": f"{round((directives.lock_timeout or LOCK_TIMEOUT) * 1000)}ms"}
    if directives.statement_timeout is not None:
        values["statement_timeout"] = f"{round(directives.statement_timeout * 1000)}ms"
    if is_concurrent(statement):
        values = {"lock_timeout": "0", "statement_timeout": "0"}
    values["row_security"] = "off"
    calls = (f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in values.items())
    return Command("select " + ", ".join(calls))


def _execute(
    link: Link, statement: Statement, script: Script, number: int, events: Events, again: str
) -> None:
    def watch(flight: Flight) -> None:
        events.at_work(statement, flight)

    link.fly([_settings(script, statement)])
    flight = Flight(link.connection, [Command(statement.text, statement=number)], watch)
    (answer,) = flight.fly()
    if answer.error is not None:
        done = "statements before it are done and recorded" if number else "nothing is done yet"
        raise explain.failed(answer.error, script, number, done, again)
