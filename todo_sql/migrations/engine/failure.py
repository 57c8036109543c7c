"""Turns an error of the server into one that names the place in the file. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg

from todo_sql.errors import Place
from todo_sql.migrations.engine.lock_retry import passing
from todo_sql.migrations.engine.settings import hold_of
from todo_sql.migrations.engine.watch import HoldExceeded
from todo_sql.migrations.files.folder import REPEATABLE
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.sql.grammar import Statement
from todo_sql.wire.call_errors import BEHIND, is_behind

_LEDGER = "_yoyo_migration|_yoyo_log|_yoyo_version|_todo_sql_ledger|_todo_sql_repeatable"
_ROW = re.compile(r"^COPY .+, line (\d+)", re.MULTILINE)
_WORD = re.compile(r'"(?:[^"]|"")*"|\w+|\S')


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed.

    Attributes:
        number: Of the statement, from 0; None: a deferred constraint, or the bookkeeping.
        exceeded: Set if we cancelled it to let others at its tables.
        rewritten: Whether the text that ran is another than that of the file.
    """

    error: psycopg.Error
    number: int | None
    recording: bool = False
    exceeded: HoldExceeded | None = None
    rewritten: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether another try may succeed."""
        return self.exceeded.waiting if self.exceeded else passing(self.error)

    def explained(self, script: Script, state: str, again: str) -> MigrationFailed:
        """Return the error that names the place; `state` is the database's now."""
        if self.exceeded:
            return _held_too_long(script, self.number, state, self.exceeded)
        error, diag, statements = self.error, self.error.diag, script.statements
        message = diag.message_primary or str(error).strip()
        number, position = self.number, None if self.rewritten else diag.statement_position
        if number is None:  # in our own statement: the last that names the table, or the last
            pattern = _LEDGER if self.recording else re.escape(diag.table_name or "")
            word = re.compile(rf"\b(?:{pattern})\b")
            naming = [at for at, one in enumerate(statements) if pattern and word.search(one.text)]
            number, position = naming[-1] if naming else max(0, len(statements) - 1), None
        if self.recording:
            message = f"the migration could not be recorded in the ledger: {message}"
        where = f"statement {number + 1} of {len(statements)}" if statements else "an empty file"
        said = {"detail": diag.message_detail, "hint": diag.message_hint, "context": diag.context}
        causes = [f"PostgreSQL {error.sqlstate} in {where}; {state}"]
        causes += [f"{name}: {words}" for name, words in said.items() if words]
        there = error.sqlstate in _THERE and REPEATABLE in script.path.parent.parts
        return MigrationFailed(
            message,
            sqlstate=error.sqlstate,
            code=LACKING if lacking(str(error)) else _CODES.get(error.sqlstate or "", "M301"),
            place=_place(error, position, script, number) if statements else None,
            cause="\n".join(causes),
            fix=_AGAIN if there else _fix(error, again),
        )


# What is there already: a relation, another object, a function, a schema.
_THERE = ("42P07", "42710", "42723", "42P06")
_AGAIN = (
    "a repeatable file runs again whenever its text changes: write `create or replace`, or "
    "`drop … if exists` before it"
)


def _held_too_long(
    script: Script, number: int | None, state: str, exceeded: HoldExceeded
) -> MigrationFailed:
    statements = script.statements
    number = len(statements) - 1 if number is None else number
    while_ = "waiting for another lock" if exceeded.waiting else "at work"
    return MigrationFailed(
        f"an exclusive lock was held for {hold_of(script):g} s, while this statement was {while_}",
        sqlstate="57014",
        code="M305",
        place=script.place_of(statements[number]) if statements else None,
        cause=f"others had to wait for it in statement {number + 1} of {len(statements)}; {state}",
        fix="do the work in steps that lock for less time, or allow it with `-- max-lock-hold:`",
    )


def _place(error: psycopg.Error, position: str | None, script: Script, number: int) -> Place:
    source, statement = script.source, script.statements[number]
    row = _ROW.search(error.diag.context or "")
    if row and number in script.data:
        return script.data[number].place(int(row[1]))
    if position is not None:
        start = statement.start + int(position) - 1
        word = _WORD.match(source.text, start)
        return source.place(start, word.end() if word else None)
    inner = _inside_do(error, statement)
    return source.place(*inner) if inner is not None else script.place_of(statement)


def _inside_do(error: psycopg.Error, statement: Statement) -> tuple[int, int] | None:
    """Return the line of a DO block that PL/pgSQL names in its context."""
    lines = re.findall(r"inline_code_block line (\d+)", error.diag.context or "")
    body = re.search(r"\$\w*\$|'", statement.text)
    if not lines or body is None:
        return None
    offset = body.end()
    for _ in range(int(lines[-1]) - 1):
        offset = statement.text.find("\n", offset) + 1
        if offset == 0:
            return None
    line = statement.text[offset:].split("\n", 1)[0]
    start = statement.start + offset + len(line) - len(line.lstrip())
    return start, start + len(line.strip())


_CODES = {"55P03": "M302", "57014": "M303", "42501": "M304"}
LACKING = "M333"
# What a build of PostgreSQL may lack: an extension or its library, what our stand-in for one
# cannot do, ICU, XML, LZ4, a language, a dictionary, a locale of the system.
_LACKS = re.compile(
    r"extension \"[^\"]+\" is not available|could not open extension control file"
    r"|is not in the stand-in for extension"
    r"|could not access file \"[^\"]+\"|could not load library"
    r"|must be (?:pre)?loaded via \"?shared_preload_libraries"
    r"|ICU is not supported in this build|collation \"[^\"]+-x-icu\" .*does not exist"
    r"|could not create locale|unsupported XML feature|compression method lz4 not supported"
    r"|language \"[^\"]+\" does not exist|could not open \w+ file \".*/tsearch_data/"
)


def lacking(message: str) -> str | None:
    """Return what to do where a server lacks what a migration rightly uses, else None."""
    if not _LACKS.search(message):
        return None
    return (
        "the migration may be right, and this server lacks what it uses: install that there, or, "
        "where it is a scratch server, name one that has it in TODO_SQL_SCRATCH_URL or install a "
        "PostgreSQL that has it; the embedded PostgreSQL 18 has contrib and vector, stand-ins for "
        "pgcrypto and uuid-ossp, but no PostGIS, ICU or XML"
    )


def _fix(error: psycopg.Error, again: str) -> str:
    state = error.sqlstate or ""
    words = str(error)
    if is_behind(state, error.diag.severity_nonlocalized, error.diag.message_primary):
        return f"{BEHIND}, then run `{again}` again"
    if advice := lacking(words):
        return advice
    if "row-level security policy" in words and state == "42501":
        return (
            "the policies would hide rows from this role: migrate as the owner or as a role with "
            "BYPASSRLS, or add a policy for the migrating role"
        )
    return next(text for begin, text in _ADVICE.items() if state.startswith(begin)).format(again)


# By how the SQLSTATE begins.
_ADVICE = {
    "42501": "grant the migrating role what it lacks, then run `{}` again",
    "55P03": "run it when the table is less busy, or raise `-- lock-timeout:` in the file; "
    "`select pid, query, xact_start from pg_stat_activity` shows what is running",
    "57014": "raise `-- statement-timeout:` in the file, or do the work in smaller steps",
    "2D000": "what commits by itself runs in no transaction: say `-- transactional: false` at the "
    "top of the file, then run `{}` again",
    "53": "make room on the server, then run `{}` again",
    "23": "correct the rows that violate the constraint, then run `{}` again",
    "": "correct the migration, then run `{}` again",
}
