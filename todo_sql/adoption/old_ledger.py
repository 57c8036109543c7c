"""The ledgers of other tools: where they are, what their rows mean. Pure.

A ledger is data: the columns by which its table is told, and a select list of four texts:
the key, when it was applied (UTC), what is the matter, the checksum. What is the matter is
null (applied), ``undone``, ``baseline`` (it stands for all before it, too) or the reason why
a person has to look first.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from todo_sql.adoption.versions import natural

UNDONE, BASELINE = "undone", "baseline"
LEDGER_KEY = "(ledger)"
"""Of the file that makes the other tool's ledger, where a history uses it.

A key in brackets is none of the other tool's; what it stands for is always applied.
"""

TABLES = (
    *("alembic_version", "schema_migrations", "goose_db_version", "flyway_schema_history"),
    *("databasechangelog", "databasechangeloglock", "knex_migrations", "knex_migrations_lock"),
    *("_prisma_migrations", "django_migrations", "_sqlx_migrations", "yoyo_lock"),
    *("__diesel_schema_migrations", "refinery_schema_history", "schema_version", "pgmigrations"),
)
"""The usual names of such tables, of tools without a reader too."""

Row = tuple[str | None, ...]
RowKey = Callable[[str, Sequence[str]], str]


def same_key(key: str, _keys: Sequence[str]) -> str:
    """Return the key of a row as it is."""
    return key


@dataclass(frozen=True, slots=True)
class OldLedger:
    """The table in which a tool keeps what it applied.

    Attributes:
        table: Its usual name.
        columns: What it has, among others.
        select: The four texts, as above, separated by commas.
        ddl: How the tool makes it; some histories use it.
        lacks: Columns that it has not: other tools' tables of that name have them.
        schema: Where it always is, or None: anywhere.
        rest: ``where`` and ``order by``: of several rows of one key the last counts.
        means: What a row says: ``each`` itself, ``upto`` itself and all before it, ``heads``
            itself and all that it stands on.
        key: Turns a key of a row into one of the files that came over, if it is one's.
    """

    table: str
    columns: Sequence[str]
    select: str
    ddl: str
    lacks: Sequence[str] = ()
    schema: str | None = None
    rest: str = ""
    means: Literal["each", "upto", "heads"] = "each"
    key: RowKey = same_key


@dataclass(frozen=True, slots=True)
class Carried:
    """What is known of a key that counts as applied.

    Attributes:
        applied_at: When, as a timestamp in UTC, where the tool knows it.
        checksum: Of the text that ran, where the tool keeps one.
    """

    applied_at: str | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What an old ledger says of the files that came over.

    Attributes:
        applied: By key, in the order of the files.
        missing: Keys without a file.
        failed: Keys that were left half done, each with what is the matter.
        guessed: Keys that count as applied since a later one is: the ledger keeps no more.
    """

    applied: Mapping[str, Carried] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    guessed: tuple[str, ...] = ()


def standing(
    ledger: OldLedger,
    rows: Iterable[Row],
    keys: Sequence[str],
    depends: Mapping[str, Sequence[str]],
    replaces: Mapping[str, Sequence[str]],
) -> Standing:
    """Read the rows of an old ledger.

    Args:
        ledger: Whose.
        rows: Of its four texts.
        keys: Of the files that came over, in their order.
        depends: The keys that each stands on, for `heads`.
        replaces: The keys that a squashed one stands for.
    """
    found: dict[str, Row] = {}
    for row in rows:
        key = ledger.key(row[0] or "", keys)
        found.pop(key, None)
        found[key] = row
    failed, carried = [], {}
    for key, (_, at, state, checksum) in found.items():
        if state in (None, BASELINE):
            carried[key] = Carried(at, checksum)
        elif state and state != UNDONE:
            failed.append((key, state))
    known = {*keys, *chain.from_iterable(replaces.values())}
    missing = [key for key in carried if key not in known and found[key][2] != BASELINE]
    whole, torn = _replacing(replaces, carried)
    failed += torn
    covered = {key for key in keys if key.startswith("(")} | whole
    for key in carried:
        if ledger.means == "heads":
            covered |= _under(key, depends)
        elif ledger.means == "upto" or found[key][2] == BASELINE:
            covered |= set(_before(key, keys))
    applied = {key: carried.get(key, Carried()) for key in keys if key in carried or key in covered}
    guessed = [key for key in applied if key not in carried and ledger.means == "upto"]
    return Standing(applied, tuple(missing), tuple(failed), tuple(guessed))


def _replacing(
    replaces: Mapping[str, Sequence[str]], carried: Container[str]
) -> tuple[set[str], list[tuple[str, str]]]:
    """Return the keys for which all that they replace is applied, and those for which some is."""
    whole, torn = set(), []
    for key, some in replaces.items():
        there = sum(one in carried for one in some)
        if there and there == len(some):  # as Django has it: all of them are it
            whole.add(key)
        elif there and key not in carried:
            torn.append((key, f"{there} of the {len(some)} that it replaces are applied"))
    return whole, torn


def _before(last: str, keys: Sequence[str]) -> Sequence[str]:
    """Return the keys up to one that may have no file; then numbers decide."""
    if last in keys:
        return keys[: list(keys).index(last)]
    return [key for key in keys if natural(key) <= natural(last)]


def _under(head: str, depends: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [head]
    while waiting:
        news = {*depends.get(waiting.pop(), ())} - found
        found |= news
        waiting += news
    return found
