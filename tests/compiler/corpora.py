"""How many queries of other tools' tests are described, how many refused, and why.

    python tests/compiler/corpora.py sqlc CHECKOUT
    python tests/compiler/corpora.py sqlc-python CHECKOUT    sqlc-gen-better-python
    python tests/compiler/corpora.py aiosql CHECKOUT
    python tests/compiler/corpora.py pgtyped CHECKOUT

Read in place. Every refusal is shown with its code, its message, and the reason why it is
right; one without a reason makes the exit code 1. Where a schema wants an extension that the
embedded server lacks, PostgreSQL 15 of the system is tried, too.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
from support import foreign
from support.compiling import config_of
from support.foreign import Case

from todo_sql.compiler.describe import Compiler
from todo_sql.database.server import binaries
from todo_sql.database.temporary import temporary_server
from todo_sql.errors import ConfigError, Finding
from todo_sql.queries.loader import read_text
from todo_sql.queries.named import NamedQuery
from todo_sql.review.databases import empty_database
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.source import Source

CORPORA: dict[str, Callable[[Path], Iterator[Case]]] = {
    "sqlc": foreign.sqlc,
    "sqlc-python": foreign.sqlc_python,
    "aiosql": foreign.aiosql,
    "pgtyped": foreign.pgtyped,
}


TWICE = "two columns of one name: `row.id` would be one of them by chance; theirs are numbered"
UNNAMED = "a column without a name that Python takes: it needs `as`"
MISTAKE = "their test of a mistake: sqlc refuses it, too"

# What a refusal says, found in "CASE: QUERY: CODE MESSAGE", and why it is right.
REASONS = [
    (r"C108 column \d+ of \S+ repeats the name", TWICE),
    (r"C108 column \d+ of \S+ is named `(\?column\?|3p%)`", UNNAMED),
    (r"Q112 parameter `:\w+` is a keyword of Python", "no argument of a function can be named so"),
    (r"pg_vector/.*C104 .* no Python type", "an extension's type, which [tool.todo-sql.types]"
     " can map: what it should be in Python is the user's to say"),
    # Mistakes that sqlc's tests make on purpose; each has its stderr.txt or is named so.
    (r"ddl_materialized_views_invalid/.* \"earned\" does not exist", MISTAKE),
    (r"ddl_create_table_invalid_inherits/.*: C101", "PostgreSQL refuses the table itself, as sqlc"),
    (r"insert_select_invalid/.*more expressions than target", MISTAKE),
    (r"invalid_\w+/.*: C101", MISTAKE),
    (r"join_validate_columns/.*FROM-clause entry for table \"book\"", MISTAKE),
    (r"order_by_non_existing_column/.*\"adfadsf\" does not exist", MISTAKE),
    (r"relation_does_not_exist/.*\"nonexisting_relation\" does not exist", MISTAKE),
    (r"sqlc_arg_invalid/.*(\"sqlc\" does not exist|not a named parameter)", MISTAKE),
    (r"sqlc_arg_invalid/.*WrongFunc: .*does not exist", MISTAKE),
    (r"strict_function_checks/.*doesntexist\(\) does not exist", MISTAKE),
    (r"syntax_errors/.*syntax error", MISTAKE),
    (r"update_set_on_conflict/.*(typo|ON CONFLICT DO UPDATE requires)", MISTAKE),
    # What sqlc lets pass and PostgreSQL does not.
    (r"case_value_param/.*text = boolean", "$1 is text by its first use, then compared with a"
     " boolean: PostgreSQL refuses to prepare it"),
    (r"params_placeholder_in_left_expr/.*integer = character varying", "$1 is compared with an"
     " integer and with a text: PostgreSQL refuses to prepare it"),
    # aiosql's loader is tested with texts that no database is asked for.
    (r"blogs\.sql: with_params: .*table \"x\"", "`x.imaj` lacks its colon: no table x"),
    (r"get_modulo: C101 operator is not unique", "nothing tells the types of `:a % :b`: cast one,"
     " as their pg8000 file does"),
    (r"not_a_select: .*\"foo\" does not exist", "a table that nobody makes"),
]  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """Why a query is not described."""

    case: str
    query: str
    finding: Finding

    def __str__(self) -> str:
        return f"{self.case}: {self.query}: {self.finding.code} {self.finding.message}"

    @property
    def reason(self) -> str | None:
        """Why the refusal is right, or None: nobody has looked."""
        return next((why for what, why in REASONS if re.search(what, str(self))), None)


def apply(connection: psycopg.Connection[object], case: Case) -> list[str]:
    """Make the tables of a case; return what PostgreSQL refuses of its schema."""
    try:
        statements = parse(case.schema)
    except GrammarError as error:
        return [str(error)]
    refused = []
    for statement in statements:
        try:
            connection.execute(statement.text.encode())
        except psycopg.Error as error:
            refused.append(f"{error.sqlstate} {error.diag.message_primary}")
    return refused


def describe(url: str, case: Case) -> tuple[list[Refusal], list[str]]:
    """Return the refusals of a case, and what PostgreSQL refuses of its schema."""
    refusals: dict[int, Refusal] = {}
    queries: dict[int, NamedQuery] = {}
    for number, query in enumerate(case.queries):
        found, mistakes = read_text(Source(case.name, query.text))
        for one in mistakes[:1]:
            refusals[number] = Refusal(case.name, query.name, one)
        queries.update((number, one) for one in found)
    with psycopg.connect(url, autocommit=True) as connection:
        refused = apply(connection, case)
        compiler = Compiler(connection, config_of(Path("/nowhere")))
        for number, named in queries.items():
            for finding in compiler.analyse([named]).errors[:1]:
                refusals[number] = Refusal(case.name, named.name, finding)
    return list(refusals.values()), refused


def measure(corpus: str, checkout: Path) -> bool:
    """Print the figures of one corpus; return whether every refusal has its reason."""
    total, refusals = 0, list[Refusal]()
    with ExitStack() as stack:
        servers = [stack.enter_context(temporary_server(18)).url("postgres")]
        if has(15):
            servers.append(stack.enter_context(temporary_server(15)).url("postgres"))
        for case in CORPORA[corpus](checkout):
            for server in servers:
                with empty_database(server) as url:
                    found, schema = describe(url, case)
                if not any("is not available" in line for line in schema):
                    break
            total += len(case.queries)
            refusals += found
            for line in schema:
                print(f"schema of {case.name}: {line}")
    for one in refusals:
        print(f"{one}\n    {one.reason or 'UNEXPLAINED'}")
    counts = ", ".join(
        f"{n} {code}" for code, n in Counter(r.finding.code for r in refusals).items()
    )
    print(f"{corpus}: {total} queries, {total - len(refusals)} described, {len(refusals)} refused")
    print(counts)
    return all(one.reason for one in refusals)


def has(version: int) -> bool:
    """Whether this machine has a PostgreSQL of a version."""
    try:
        return str(version) in str(binaries(version))
    except ConfigError:
        return False


if __name__ == "__main__":
    sys.exit(0 if measure(sys.argv[1], Path(sys.argv[2])) else 1)
