"""C121 to C124: variants that PostgreSQL would serve badly, seen on load-test data.

The rows are those of the project's `seeds/scale.sql`, made once and kept. Variants with no
optional condition, and with each by itself, are planned for any value, as a prepared
statement soon is, in the tenant's role; none is run. Where several conditions meet, an index
for one of them is enough. In tables of few rows an index is of no use: they are left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.read import ours
from todo_sql.compiler.coordinator import act_as, explained
from todo_sql.compiler.describe import Examined
from todo_sql.compiler.described import Described
from todo_sql.compiler.scratch import migrated_database
from todo_sql.config import Config
from todo_sql.errors import Finding
from todo_sql.migrations.seeds import SCALE_FILE, seed
from todo_sql.queries.keyset import PageVariant, page_variants
from todo_sql.queries.named import Cardinality, NamedQuery
from todo_sql.queries.own import bound
from todo_sql.queries.variants import Variant, variants
from todo_sql.sql.source import read_bytes

MANY_ROWS = 1_000
_SORTED_ROWS = 100
_INDEX_SCANS = ("Index Scan", "Index Only Scan")
_SCANS = ("Seq Scan", *_INDEX_SCANS, "Bitmap Heap Scan")
_EQUAL = re.compile(r"(?<![<>!=]) = (?:ANY )?\(?\$(\d+)")

Node = Mapping[str, Any]
Tables = Mapping[str, tuple[int, bool]]
"""Of each table how many rows it has, and whether they are tenants'."""


def loaded_database(config: Config, scale: int) -> str:
    """Return the URL of a scratch database that holds load-test data; makes it once.

    Raises:
        ConfigError: The project has no scale.sql.
    """
    digest = hashlib.sha256(str(scale).encode())
    for path in sorted(config.seeds.glob("*.sql")):
        digest.update(read_bytes(path))

    def fill(url: str) -> None:
        seed(url, config.seeds, scale=scale)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")

    if not (config.seeds / SCALE_FILE).is_file():
        seed("", config.seeds, scale=scale)  # says so, before a database is made
    return migrated_database(config, f"load_{digest.hexdigest()[:8]}", fill)


def find(
    connection: Connection[Any], examined: Iterable[Examined], config: Config
) -> list[Examined]:
    """Return the queries with what their plans show added.

    Args:
        connection: To a loaded database of their schema, in autocommit mode.
    """
    parameter = config.tenant.parameter if config.tenant else ""
    with ours(connection):
        text, values = bound(__package__, "sizes", column=parameter)
        sizes = psycopg.RawCursor(connection).execute(text.encode(), values).fetchall()
    tables = {
        name: (rows, is_tenants and name not in config.exempt) for name, rows, is_tenants in sizes
    }

    def judge(entry: Described, variant: Variant) -> Iterator[Finding]:
        return _judge(_plan(connection, variant, entry, config), variant, entry.query, tables)

    return judged(examined, judge, lambda finding: (finding.code, finding.message))


def judged(
    examined: Iterable[Examined],
    judge: Callable[[Described, Variant], Iterable[Finding]],
    once: Callable[[Finding], object],
) -> list[Examined]:
    """Return queries with what is found in the plans of their texts added.

    Args:
        judge: Yields what is wrong with the plan of one text.
        once: Says what is the same for all texts of a query, and told once.
    """
    found = []
    for one in examined:
        news: dict[object, Finding] = {}
        for variant in planned_texts(one.described) if one.described else ():
            assert one.described is not None
            for finding in judge(one.described, variant):
                if finding.code not in one.query.allow:
                    news.setdefault(once(finding), finding)
        found.append(replace(one, findings=(*one.findings, *news.values())))
    return found


def planned_texts(entry: Described) -> Iterator[Variant]:
    """Yield the texts that are planned: of pages, those without NULL in the cursor."""
    query = entry.query
    is_page = query.cardinality is Cardinality.PAGE
    for one in page_variants(query, entry.not_null) if is_page else variants(query):
        keys = sum(name.startswith("cursor.") for name in one.parameters)
        without_null = not isinstance(one, PageVariant) or keys in (0, len(one.keys))
        if without_null and query.is_bare(one.given, but=1):
            yield one


def _plan(connection: Connection[Any], variant: Variant, entry: Described, config: Config) -> Node:
    """Return the generic plan of a text; nothing is executed."""
    types = {one.name: one.pg_type for one in entry.parameters}
    nulls = [None for _ in variant.parameters]
    with connection.transaction(force_rollback=True):
        if config.tenant is not None and entry.tenant:
            act_as(connection, config.tenant, "x", citus=False)
        plan: Node = explained(connection, variant, types, nulls, generic=True)[0]["Plan"]
    return plan


def _judge(plan: Node, variant: Variant, query: NamedQuery, tables: Tables) -> Iterator[Finding]:
    """Yield what is wrong with one plan."""
    which = variant_words(variant)

    def warning(code: str, what: str, why: str, fix: str, parameter: str | None = None) -> Finding:
        place = query.place_of(parameter) or query.place()
        return Finding(code, "warning", what, place, f"{which}{why}", fix)

    for node, limited in _nodes(plan, limited=False):
        rows, is_tenants = tables.get(node.get("Relation Name", ""), (0, False))
        name, kind = f"`{node.get('Relation Name')}`", node["Node Type"]
        if kind in _SCANS and rows >= MANY_ROWS:
            for number in map(int, _EQUAL.findall(str(node.get("Filter", "")))):
                parameter = variant.parameters[number - 1]
                what = f"`:{parameter}` is compared with each row of {name}, not looked up"
                fix = "add an index whose first columns are those compared by `=`"
                why = f"PostgreSQL filters by {node['Filter']}"
                yield warning("C122", what, why, fix, parameter)
            if kind == "Seq Scan" and is_tenants:
                what = f"`{query.name}` reads all of {name}, every tenant's rows"
                fix = "add an index that begins with the tenant's column"
                yield warning("C121", what, "no index serves its conditions", fix)
            selects = is_tenants or "$" in str(node.get("Filter", ""))
            if kind in _INDEX_SCANS and "Index Cond" not in node and selects:
                what = f"`{query.name}` walks through all of {name} by `{node['Index Name']}`"
                fix = "put the columns of the conditions before those of the order"
                yield warning("C124", what, "no condition is looked up in the index", fix)
        if limited and kind == "Sort" and node["Plans"][0]["Plan Rows"] >= _SORTED_ROWS:
            what = f"`{query.name}` sorts all its rows to return the first"
            fix = "add an index on the columns compared by `=`, then those of the order"
            why = f"no index has the order {', '.join(node['Sort Key'])}"
            yield warning("C123", what, why, fix)


def _nodes(node: Node, *, limited: bool) -> Iterator[tuple[Node, bool]]:
    """Yield every node, and whether a LIMIT above wants its first rows only."""
    yield node, limited
    through = ("Limit", "Result", "Subquery Scan", "LockRows", "Append", "Merge Append")
    for child in node.get("Plans", ()):
        wanted = node["Node Type"] == "Limit" or (limited and node["Node Type"] in through)
        yield from _nodes(child, limited=wanted)


def variant_words(variant: Variant) -> str:
    """Return what a variant has of its query, to begin a sentence with."""
    parts = [*sorted(variant.given), *(f"{key} {value}" for key, value in variant.cases.items())]
    return f"with {', '.join(parts)}: " if parts else ""
