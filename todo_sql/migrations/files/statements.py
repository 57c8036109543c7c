"""The statements of a migration file, and what no migration may contain. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from todo_sql.errors import Finding
from todo_sql.migrations.files.batched import NotBatched, batched_of
from todo_sql.migrations.files.directives import MENTIONED, OF_FATE, UNKNOWN_FATE
from todo_sql.migrations.files.folder import refuse
from todo_sql.migrations.files.migration import MigrationSet, Script, place_of, scripts_of
from todo_sql.migrations.files.reading import CopyData
from todo_sql.migrations.files.rerun import is_rerunnable, needs_no_transaction
from todo_sql.migrations.files.template import UNWRITTEN
from todo_sql.sql.grammar import GrammarError, Statement, parse, scan
from todo_sql.sql.pieces import RESTRICTION, without_restrictions
from todo_sql.sql.source import Source
from todo_sql.sql.walking import enum

_META_COMMAND = re.compile(rf"^[ \t]*(?!{RESTRICTION.pattern})\\[A-Za-z!?]", re.MULTILINE)
_SENDING = re.compile(r"\\(?:g(?:x|desc|exec|set)?|crosstabview|watch|;)(?![a-z])")
_TRIED = 20  # places that may be the cause; what comes after the first true one is no matter
_TRANSACTION = re.compile(
    r"(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release"
    r"|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_ALLOW = f"`-- allow: {UNKNOWN_FATE} REASON`"
_UNLOCK = re.compile(r"\bpg_advisory_unlock", re.IGNORECASE)


def check(
    migrations: MigrationSet,
    scripts: Iterable[Script] | None = None,
    takes: Callable[[str], bool] = lambda text: False,
) -> None:
    """Parse files and refuse what may not run; see `wrong_statements`.

    Args:
        scripts: Those of its files that are about to run; default: all. What was applied
            was checked then, and parsing thousands of files takes seconds.
        takes: Tells whether the server can read a statement that this grammar cannot.

    Raises:
        InvalidFiles: With every finding.
    """
    chosen = scripts_of(migrations) if scripts is None else scripts
    refuse([one for script in chosen for one in _wrong(script, takes)], migrations.shown)


def refuse_wrong(script: Script, takes: Callable[[str], bool]) -> None:
    """Refuse a text that may not run, such as one of the ledger; see `check`."""
    refuse(_wrong(script, takes), script.source.file)


def _wrong(script: Script, takes: Callable[[str], bool]) -> list[Finding]:
    found = list(wrong_statements(script))
    if [one.code for one in found] == ["M121"] and script.cut(takes):
        found = list(wrong_statements(script))
    return found


def wrong_statements(script: Script) -> Iterator[Finding]:
    """Yield what is wrong with the SQL of a file."""
    try:
        found = script.statements
    except GrammarError as error:
        yield explain(script.source, error)
        return
    if not found:
        yield from _nothing(script)
    elif script.directives.nothing_to_undo is not None and script.is_rollback:
        yield Finding.error(
            "M105",
            "the rollback says `nothing-to-undo` and holds a statement",
            script.place_of_directive("nothing-to-undo"),
            fix="remove one of the two",
        )
    yield from _directives_too_late(script)
    try:
        batched_of(script)
    except NotBatched as error:
        place = script.place_of_directive("batch")
        yield Finding.error("M130", error.message, place, fix=error.fix)
    for number, statement in enumerate(found):
        wrong = _forbidden(statement, script.data.get(number))
        if wrong is None and script.directives.transactional:
            if needs_no_transaction(statement):
                allow = "" if is_rerunnable(statement) else f" and {_ALLOW}"
                fix = f"put it alone into a migration that says `-- transactional: false`{allow}"
                wrong = "M128", "this statement cannot run inside a transaction", fix
        elif wrong is None and number in script.data:
            wrong = (
                "M123",
                "data behind COPY needs a transaction: rows sent twice would be there twice",
                "move it to a transactional migration",
            )
        elif wrong is None and script.directives.batch is None:
            wrong = _unsafe_outside_a_transaction(script, statement)
        if wrong:
            code, message, fix = wrong
            yield Finding.error(code, message, script.place_of(statement), fix=fix)


def may_be_in_doubt(script: Script) -> bool:
    """Tell whether a file runs a statement that a crash may leave in doubt: the waiver's matter."""
    if script.directives.transactional or script.directives.batch is not None:
        return False
    try:
        return not all(is_rerunnable(statement) for statement in script.statements)
    except GrammarError:
        return True


def unexamined(source: Source, statements: Iterable[Statement]) -> Iterator[Finding]:
    """Yield a warning for each statement whose parse tree is not whole."""
    for statement in statements:
        if statement.unseen:
            yield Finding(
                "M129",
                "warning",
                "the statement was not examined in full",
                place_of(source, statement),
                cause=f"{statement.unseen}; it runs as it stands, and PostgreSQL judges it",
            )


def without_effect(source: Source, statements: Sequence[Statement]) -> Iterator[Finding]:
    """Yield a warning where a file that is applied holds no statement."""
    if not statements:
        yield Finding(
            "M131",
            "warning",
            "the file holds no statement: it is recorded as applied and does nothing",
            source.place(0),
            fix="write it, or say `-- allow: M131 reason` where it stands empty on purpose",
        )


def _nothing(script: Script) -> Iterator[Finding]:
    """Yield what is wrong with a file without statements."""
    if script.directives.nothing_to_undo is not None and script.is_rollback:
        return
    unwritten = script.source.text.find(UNWRITTEN)
    if unwritten >= 0:
        yield Finding.error(
            "M120",
            "the migration is still the template that `todo-sql new` wrote",
            script.source.place(unwritten, unwritten + len(UNWRITTEN)),
            fix="write it, or delete its files",
        )
    elif script.is_rollback:
        yield Finding.error(
            "M104",
            "the rollback file holds no statement: it would undo nothing",
            script.source.place(0),
            fix="write what undoes the migration (`select 1;` where nothing has to be), or delete "
            "the file and say `-- irreversible: reason` in the migration's own",
        )


def _directives_too_late(script: Script) -> Iterator[Finding]:
    """Yield the directives after the first statement, where none is read."""
    source = script.source
    begin = next((s.start for s in script.statements), len(source.text))
    if not MENTIONED.search(source.text, begin):
        return
    for token in scan(source.text):
        match = MENTIONED.match(source.text, token.start, token.end)
        if token.kind == "SQL_COMMENT" and token.start > begin and match:
            yield Finding.error(
                "M112",
                f"the directive `{match.group(1)}` stands after the first statement, "
                "where it has no effect",
                source.place(token.start, token.end),
                fix="move it to the top of the file; if it is prose, put it in other words",
            )


def in_short(sql: str) -> str:
    """Return a statement on one line, cut where it is long."""
    text = " ".join(sql.split())
    return text if len(text) <= 120 else text[:119] + "…"


def explain(source: Source, error: GrammarError) -> Finding:
    """Return the finding for text that the grammar rejects, named by its real cause."""
    for command in islice(_META_COMMAND.finditer(source.text), _TRIED):
        try:
            parse(without_restrictions(source.text[: command.start()]))
        except GrammarError:
            continue
        start = command.end() - 2
        end = start + len(source.text[start:].split("\n", 1)[0].rstrip("\r"))
        return Finding.error(
            "M122",
            "psql's meta-commands are not SQL",
            source.place(start, end),
            fix="remove the line; of these, `\\i` and `\\ir` are read: the name of a file beside, "
            "alone in its line",
        )
    if behind := _SENDING.match(source.text, error.offset):
        return Finding.error(
            "M122",
            "psql's meta-commands are not SQL",
            source.place(*behind.span()),
            fix=f"end the statement with a semicolon in place of `{behind[0]}`; what psql would "
            "make of its rows, `do $$ begin … execute …; end $$` can do",
        )
    word = re.compile(r"\w+|.|$", re.DOTALL).match(source.text, error.offset)
    return Finding.error(
        "M121",
        error.message,
        source.place(error.offset, word.end() if word else None),
        cause="PostgreSQL 18's grammar does not know this",
        fix="correct the SQL",
    )


def _forbidden(statement: Statement, rows: CopyData | None) -> tuple[str, str, str] | None:
    """Return code, message and fix for a statement that no migration may contain."""
    without_tree = not statement.kind and _TRANSACTION.match(statement.text)
    if statement.kind == "transaction_stmt" or without_tree:
        return (
            "M124",
            "a transaction statement would tear the migration from its ledger row",
            "remove it: every migration is one transaction already",
        )
    if statement.kind == "copy_stmt":
        copy = statement.root
        if not copy.filename and not copy.is_program:
            return _wrong_copy(copy, rows)
    if statement.kind == "discard_stmt" and enum(statement.root, "target") == "DISCARD_ALL":
        return ("M125", "DISCARD ALL would release the migration lock", "remove it")
    if not statement.kind or not _UNLOCK.search(statement.text):
        return None
    if statement.kind == "do_stmt" or _calls_unlock(statement.root):
        return ("M126", "an advisory unlock could release the migration lock", "remove it")
    return None


def _wrong_copy(node: Any, rows: CopyData | None) -> tuple[str, str, str] | None:
    """Return what is wrong with a COPY from or to the client."""
    if not node.is_from:
        message = "COPY to the client has nobody who reads it"
        fix = "remove it; `todo-sql query` prints what a query returns"
    elif rows is None:
        message = "the data of this COPY is not behind it"
        fix = "end the line with its semicolon; the rows begin in the next line, and a line `\\.` "
        fix += "ends them"
    elif not rows.closed:
        message = "the data of this COPY has no end"
        fix = "write `\\.` alone in the line after the last row"
    else:
        return None
    return "M123", message, fix


def _calls_unlock(node: Any) -> bool:
    """Tell whether a parse tree calls an unlock function; the body of a function is text."""
    if node.DESCRIPTOR.name == "FuncCall" and _UNLOCK.match(node.funcname[-1].string.sval):
        return True
    return any(
        any(map(_calls_unlock, value if field.is_repeated else [value]))
        for field, value in node.ListFields()
        if field.type == field.TYPE_MESSAGE
    )


def _unsafe_outside_a_transaction(
    script: Script, statement: Statement
) -> tuple[str, str, str] | None:
    if not script.directives.allow.keys().isdisjoint(OF_FATE) or is_rerunnable(statement):
        return None
    if needs_no_transaction(statement):
        fix = f"PostgreSQL runs it in no transaction, so say {_ALLOW} at the top of the file"
    else:
        fix = f"move it to a transactional migration, write IF [NOT] EXISTS, or {_ALLOW}"
    return "M127", "outside a transaction this statement could not be run again after a crash", fix
