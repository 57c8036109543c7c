"""What a statement touches: tables, tenants, whether it writes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from todo_sql.compiler.proof.levels import RELATION, SELECT
from todo_sql.compiler.proof.nodes import Tree
from todo_sql.compiler.schema import CALLS, Function, Relation, Schema

HARMLESS = frozenset(
    ("random", "clock_timestamp", "gen_random_uuid", "timeofday", "uuidv4", "uuidv7")
)
# Volatile functions of PostgreSQL whose effects end with the transaction, or are data.
_CLEAN = frozenset(("nextval", "setval", "pg_notify", "pg_sleep", "pg_sleep_for", "pg_sleep_until"))


def tables(trees: Iterable[Tree], schema: Schema) -> list[Relation]:
    """Return the relations that a statement reads or writes, views' bodies included."""
    found: dict[int, Relation] = {}
    for tree in trees:
        for entry in tree.of("RANGETBLENTRY"):
            relation = schema.relations.get(int(entry.get("relid") or 0))
            if relation is not None and entry["rtekind"] == str(RELATION):
                found[relation.oid] = relation
    return sorted(found.values(), key=lambda relation: (relation.schema, relation.name))


def is_tenant_table(relation: Relation, parameter: str, exempt: tuple[str, ...]) -> bool:
    """Whether a table has the tenant's column under row security and isn't exempt."""
    return (
        relation.row_security
        and parameter in relation.column_names
        and relation.name not in exempt
        and f"{relation.schema}.{relation.name}" not in exempt
    )


def is_read_only(tree: Tree, schema: Schema) -> bool:
    """Whether a statement provably changes nothing.

    It selects, locks no rows, and reaches only functions that are stable or immutable, or
    volatile without effect (`random()`). Bodies of views count.
    """
    if not tree.queries or any(tree.of("NEXTVALUEEXPR")):
        return False
    for query in tree.of("QUERY"):
        if query["commandType"] != str(SELECT) or query["rowMarks"] or query["utilityStmt"]:
            return False
    return all(map(_is_harmless, _called(tree, schema)))


def leaves(tree: Tree, schema: Schema) -> bool:
    """Whether a statement may leave something in the session, for whoever gets it next.

    Provably not: queries and writes that call no volatile function but some of PostgreSQL's
    own. What triggers do belongs to the schema.
    """
    if not tree.queries or any(query["utilityStmt"] for query in tree.of("QUERY")):
        return True
    return not all(_is_harmless(one) or _is_clean(one) for one in _called(tree, schema))


def _called(tree: Tree, schema: Schema) -> Iterator[Function | None]:
    """Yield each function that a statement calls; None: one that is not known."""
    called = {int(node[field]) for kind, field in CALLS.items() for node in tree.of(kind)}
    return map(schema.functions.get, called - {0})


def _is_clean(function: Function | None) -> bool:
    if function is None or not function.builtin:
        return False
    return function.name in _CLEAN or "_xact" in function.name


def _is_harmless(function: Function | None) -> bool:
    if function is None:
        return False
    return function.volatility != "v" or (function.builtin and function.name in HARMLESS)
