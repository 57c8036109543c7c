"""C131 and C132: what a coordinator with Citus says of the queries.

It is the database that the project is for, migrated and distributed, and it is asked for plans
alone: nothing is run there. A tenant's call has to go to one shard, or each call costs all
nodes; a query without a tenant, such as a report, may go to them all. Every parameter has a
value of its type, since Citus finds the shard by the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.read import ours
from todo_sql.compiler.checks.serving import judged, variant_words
from todo_sql.compiler.coordinator import act_as, explained, is_citus, shard_counts
from todo_sql.compiler.describe import Examined
from todo_sql.compiler.described import Described
from todo_sql.config import Config
from todo_sql.errors import Finding
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.own import bound
from todo_sql.queries.variants import Variant
from todo_sql.sql.grammar import parse
from todo_sql.wire.call_errors import is_behind

_FIX = (
    "write it so that all it reads is joined by the tenant's column; `migrate` first, if the "
    "coordinator's schema is older than the query"
)
_COPY_FIX = (
    "select from the tenant's own rows, or add `returning`, with which they are sent otherwise"
)

Samples = Mapping[str, str | None]
"""A value of each type, as text."""


def find(
    connection: Connection[Any], examined: Iterable[Examined], config: Config
) -> list[Examined]:
    """Return the queries with what Citus says of them added; none where it is not Citus.

    Args:
        connection: To the database that the project is for, in autocommit mode.
    """
    examined = list(examined)
    if not is_citus(connection):
        return examined
    samples = _samples(connection, examined)

    def judge(entry: Described, variant: Variant) -> Iterator[Finding]:
        return _judge(connection, variant, entry, config, samples)

    return judged(examined, judge, lambda finding: finding.code)


def _samples(connection: Connection[Any], examined: Iterable[Examined]) -> Samples:
    types = {"text"}  # a tenant whom no parameter names
    for one in examined:
        parameters = one.described.parameters if one.described else ()
        types.update(parameter.pg_type for parameter in parameters if parameter.pg_type)
    numbers = connection.execute(
        "select t.name, pg_catalog.to_regtype(t.name)::pg_catalog.oid::pg_catalog.int8 "
        "from pg_catalog.unnest(%s::pg_catalog.text[]) as t (name)",
        [list(types)],
    ).fetchall()
    known = [str(number) for _, number in numbers if number is not None]
    text, values = bound(__package__, "samples", types=f"{{{','.join(known)}}}")
    with ours(connection):
        found = dict(psycopg.RawCursor(connection).execute(text.encode(), values).fetchall())
    return {name: found.get(number) for name, number in numbers}


def _judge(
    connection: Connection[Any],
    variant: Variant,
    entry: Described,
    config: Config,
    samples: Samples,
) -> Iterator[Finding]:
    """Yield what is wrong with the plan of one text, or that there is none."""
    query, which = entry.query, variant_words(variant)
    try:
        try:
            plan = _plan(connection, variant, entry, config, samples)
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.FeatureNotSupported) or _is_behind(error):
                raise
            # a domain, say, that does not take the value
            plan = _plan(connection, variant, entry, config, {})
    except psycopg.Error as error:
        if _is_behind(error):
            raise  # a node is away: nothing that the query could mend
        said = error.diag.message_primary or str(error)
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        yield _refused(query, f"{which}{said}{detail}", _FIX)
        return
    if entry.tenant and _copies(plan, variant):
        yield _refused(query, f"{which}COPY FROM not supported with row-level security", _COPY_FIX)
        return
    most = max(shard_counts(plan), default=0)
    if entry.tenant and most > 1:
        message = f"`{query.name}` goes to {most} shards, though it is of one tenant"
        cause = f"{which}no condition says for each table that its rows are the tenant's"
        fix = "compare the tenant's column of every table with the tenant, or with each other's"
        yield Finding("C131", "warning", message, query.place(), cause, fix)


def _is_behind(error: psycopg.Error) -> bool:
    said = error.diag
    return is_behind(error.sqlstate, said.severity_nonlocalized, said.message_primary)


def _refused(query: NamedQuery, cause: str, fix: str) -> Finding:
    what = f"`{query.name}` does not run on Citus"
    return Finding("C132", "error", what, query.place(), cause, fix)


def _copies(plan: Any, variant: Variant) -> bool:
    """Return whether rows come by way of the coordinator, which then sends them by COPY."""
    if plan[0]["Plan"].get("INSERT/SELECT method") != "pull to coordinator":
        return False
    insert = parse(variant.sql)[0].node.insert_stmt
    return not (insert.HasField("on_conflict_clause") or insert.returning_clause.exprs)


def _plan(
    connection: Connection[Any],
    variant: Variant,
    entry: Described,
    config: Config,
    samples: Samples,
) -> Any:
    """Return the plan of a text for values of its types; nothing is executed."""
    types = {one.name: one.pg_type for one in entry.parameters}
    tenant = config.tenant
    if tenant is not None and tenant.parameter not in types:
        types[tenant.parameter] = "text"
    given = [samples.get(types.get(name) or "") for name in variant.parameters]
    try:
        with connection.transaction(force_rollback=True):
            if tenant is not None and entry.tenant:
                value = samples.get(types[tenant.parameter] or "") or "x"
                act_as(connection, tenant, value, citus=True)
            return explained(connection, variant, types, given, generic=False)
    finally:
        connection.execute("deallocate all")  # no transaction takes it back
