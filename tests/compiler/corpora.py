"""How many queries of other tools' tests are described, how many refused, and why.

    PYTHONPATH=tests python tests/compiler/corpora.py CORPUS CHECKOUT

Tests of other tools: `sqlc`, `sqlc-python` (rayakame/sqlc-gen-better-python), `aiosql`,
`pgtyped` (adelsz). Whole projects, whose package is generated, imported and type-checked, too:
`labrinth` (modrinth/code) and `mas` (element-hq/matrix-authentication-service), which keep what
sqlx found, so that types are compared; `hatchet` (hatchet-dev), `minder` (mindersec) and `tap`
(lightninglabs/taproot-assets), which use sqlc.

Read in place. Every refusal is shown with its code, its message, and the reason why it is
right; one without a reason makes the exit code 1. What is described runs on random rows: a
NULL where none was claimed does so, too (what their own notation overrides aside), in a column
or within an array. Where a schema wants an extension that the embedded server lacks, PostgreSQL
15 of the system is tried.

Seen, with PostgreSQL 18 and 15:

    sqlc 99a7d7d                     566 queries, 502 described, 64 refused
    sqlc-gen-better-python 7f2578c    79 queries,  73 described,  6 refused
    aiosql 876d3cc                    45 queries,  40 described,  5 refused
    PgTyped 88a428f                   25 queries,  25 described
    labrinth fe9ae94                 681 queries, 681 described; 2,828 types as sqlx has them
    MAS 682b8d2                      189 queries, 189 described; 1,054 types as sqlx has them
    hatchet 89d130f                  504 queries, 500 described,  4 refused
    minder 2853b8d                   158 queries, 143 described, 15 refused
    taproot-assets 95bd8d4           223 queries, 219 described,  4 refused
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from support import foreign
from support.anyrows import argument, fill, labels, tables
from support.compiling import config_of
from support.foreign import Case, Query
from support.packages import package

from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.described import Described, DescribedColumn
from todo_sql.compiler.scratch import empty_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.embedded.server import binaries
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import ConfigError, Finding
from todo_sql.queries.loader import read_text
from todo_sql.queries.variants import variants
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.source import Source

CORPORA: dict[str, Callable[[Path], Iterator[Case]]] = {
    "sqlc": foreign.sqlc,
    "sqlc-python": foreign.sqlc_python,
    "aiosql": foreign.aiosql,
    "pgtyped": foreign.pgtyped,
    "labrinth": foreign.labrinth,
    "mas": foreign.mas,
    "hatchet": foreign.hatchet,
    "minder": foreign.minder,
    "tap": foreign.taproot_assets,
}
PROJECTS = ("labrinth", "mas", "hatchet", "minder", "tap")
"""Those that are whole projects: their package is generated, too."""


TWICE = "two columns of one name: `row.id` would be one of them by chance; theirs are numbered"
UNNAMED = "a column without a name that Python takes: it needs `as`"
MISTAKE = "their test of a mistake: sqlc refuses it, too"

_COLUMNS = """
select attname from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
"""

# What a refusal says, found in "CASE: QUERY: CODE MESSAGE", and why it is right.
REASONS = [
    (r"C108 column \d+ of \S+ repeats the name", TWICE),
    (r"C108 column \d+ of \S+ is named `(\?column\?|3p%)`", UNNAMED),
    (r"C108 column \d+ of \S+ is named `(class|def)`", "a keyword of Python is no attribute"),
    (r"C104 column `profiles_with_selectors`", "a composite of theirs, for which"
     " [tool.todo-sql.types] names a model"),
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
    (r"tap: .*Sqlite: C101 function", "written for SQLite"),
    (r"tap: FetchChildrenSelfJoin: .*\"subtree_cte\"", "SQLite needs no `with recursive`"),
    (r"case_value_param/.*text = boolean", "$1 is text by its first use, then compared with a"
     " boolean: PostgreSQL refuses to prepare it"),
    (r"params_placeholder_in_left_expr/.*integer = character varying", "$1 is compared with an"
     " integer and with a text: PostgreSQL refuses to prepare it"),
    (r"hatchet: CleanupV1TaskRuntime: Q108", "two statements, of which sqlc sends only what the"
     " driver lets through: PostgreSQL prepares one"),
    # aiosql's loader is tested with texts that no database is asked for.
    (r"blogs\.sql: with-params: .*table \"x\"", "`x.imaj` lacks its colon: no table x"),
    (r"get-modulo: C101 operator is not unique", "nothing tells the types of `:a % :b`: cast one,"
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


@dataclass
class Figures:
    """What came out of one case, or of all."""

    queries: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    schema: list[str] = field(default_factory=list)
    columns: int = 0
    claimed: int = 0
    elements: int = 0
    runs: int = 0
    ran: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    compared: int = 0
    good: list[Query] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Add the figures of a case."""
        for name in vars(self):
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, mine | theirs if isinstance(mine, set) else mine + theirs)


def describe(url: str, case: Case) -> Figures:
    """Describe the queries of a case, and run those that return rows."""
    figures = Figures(len(case.queries))
    described: list[Described] = []
    with psycopg.connect(url, autocommit=True) as connection:
        figures.schema = [f"{case.name}: {line}" for line in apply(connection, case)]
        compiler = Compiler(connection, config_of(Path("/nowhere")))

        def columns_of(table: str) -> list[str]:
            return [row[0] for row in connection.execute(_COLUMNS, [table])]

        for query in case.queries:
            query = replace(query, text=foreign.embedded(query.text, columns_of))
            found, findings = read_text(Source(case.name, query.text))
            if not findings:
                analysis = compiler.analyse(found)
                described += analysis.described
                findings = analysis.errors
                if not findings:
                    figures.good.append(query)
                    compare(query, analysis.described[0], figures)
            figures.refusals += [Refusal(case.name, query.name, one) for one in findings[:1]]
        columns = [column for entry in described for column in entry.columns]
        figures.columns = len(columns)
        figures.claimed = sum(not column.nullable for column in columns)
        figures.elements = sum(claims_elements(column) for column in columns)
        connection.execute("set client_min_messages = error; set debug_print_rewritten = off")
        run(connection, [entry for entry in described if entry.columns], figures)
    return figures


def compare(query: Query, entry: Described, figures: Figures) -> None:
    """Note where the types of a query are not those that the other tool found."""
    if query.parameters is None or query.columns is None:
        return
    mine = {one.name: bare(one.pg_type or "") for one in entry.parameters}
    pairs = [(mine.get(f"p{number}"), theirs) for number, theirs in enumerate(query.parameters, 1)]
    columns = zip([bare(one.pg_type) for one in entry.columns], query.columns, strict=True)
    for ours, theirs in [*pairs, *columns]:
        figures.compared += 1
        if ours is not None and ours != theirs:
            figures.types.append(f"{query.name}: {ours}, they say {theirs}")


def bare(pg_type: str) -> str:
    """Return the name of a type without its modifier."""
    return re.sub(r"\(.*?\)", "", pg_type)


def claims_elements(column: DescribedColumn) -> bool:
    """Whether a column is an array of which no element is NULL, so we say."""
    return "list[" in column.python.text and "None" not in column.python.text


def run(
    connection: psycopg.Connection[object], described: list[Described], figures: Figures
) -> None:
    """Run queries on random rows; note each NULL where none is claimed, in arrays too."""
    names, known = tables(connection), labels(connection)
    for state in range(4):
        fill(connection, random.Random(state), names if state == 3 else names[:state])
        for entry in described:
            variant = next(iter(variants(entry.query)))
            parameters = {one.name: one for one in entry.parameters}
            for number in range(6):
                values = [
                    argument(
                        one.pg_type or "",
                        number + (index if number > 2 else 0),
                        known,
                        nullable=one.nullable,
                        nulls=one.null_elements,
                    )
                    for index, name in enumerate(variant.parameters)
                    if (one := parameters[name])
                ]
                connection.pgconn.exec_(b"begin; set local statement_timeout = 400")
                result = connection.pgconn.exec_params(variant.sql.encode(), values)
                connection.pgconn.exec_(b"rollback")
                figures.runs += result.nfields > 0
                if result.ntuples:
                    figures.ran.add(f"{entry.query.source.file}: {entry.query.name}")
                figures.wrong += {
                    f"{entry.query.source.file}: {entry.query.name}: {column.name}"
                    for index, column in enumerate(entry.columns[: result.nfields])
                    for row in range(result.ntuples)
                    if denied(entry, column, result.get_value(row, index))
                }


def denied(entry: Described, column: DescribedColumn, value: bytes | None) -> bool:
    """Whether a value is NULL, or holds one, where we say that it does not."""
    if value is None:
        return not column.nullable and column.name not in entry.query.columns
    if not claims_elements(column) or not column.pg_type.endswith("[]"):
        return False
    return b"NULL" in re.split(rb"[{},]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", value))


def measure(corpus: str, checkout: Path) -> bool:
    """Print the figures of one corpus; return whether every refusal has its reason."""
    total, packaged = Figures(), list[str]()
    with ExitStack() as stack:
        servers = [stack.enter_context(temporary_server(18)).url("postgres")]
        if has(15):
            servers.append(stack.enter_context(temporary_server(15)).url("postgres"))
        for case in CORPORA[corpus](checkout):
            for server in servers:
                with empty_database(ScratchServer(server, superuser=True)) as url:
                    figures = describe(url, case)
                if not any("is not available" in line for line in figures.schema):
                    break
            total.add(figures)
            if corpus in PROJECTS:
                packaged = package(replace(case, queries=tuple(figures.good)), server)
    for line in total.schema:
        print(f"schema of {line}")
    for one in total.refusals:
        print(f"{one}\n    {one.reason or 'UNEXPLAINED'}")
    for line in sorted(set(total.wrong)):
        print(f"NULL IN {line}")
    for line in total.types:
        print(f"TYPE OF {line}")
    refused = len(total.refusals)
    codes = Counter(one.finding.code for one in total.refusals)
    shown = ", ".join(f"{count} {code}" for code, count in codes.most_common())
    print(f"{corpus}: {total.queries} queries, {total.queries - refused} described, "
          f"{refused} refused ({shown})")  # fmt: skip
    print(f"{total.columns} columns, {total.claimed} claimed NOT NULL, {total.elements} arrays "
          f"without; {total.runs} runs, rows from {len(total.ran)} queries, "
          f"{len(set(total.wrong))} claims wrong")  # fmt: skip
    print(f"{total.compared} types compared with theirs, {len(total.types)} differ")
    print(*packaged, sep="\n")
    return not total.wrong and all(one.reason for one in total.refusals)


def has(version: int) -> bool:
    """Whether this machine has a PostgreSQL of a version."""
    try:
        return str(version) in str(binaries(version))
    except ConfigError:
        return False


if __name__ == "__main__":
    sys.exit(0 if measure(sys.argv[1], Path(sys.argv[2])) else 1)
