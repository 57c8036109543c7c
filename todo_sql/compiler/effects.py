"""What a statement touches: tables, tenants, what its parameters feed, whether it writes. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from todo_sql.compiler.proof.levels import INSERT, MERGE, RELATION, SELECT, SUBQUERY, UPDATE, VALUES
from todo_sql.compiler.proof.nodes import Node, Tree
from todo_sql.compiler.schema import Column, Function, Relation, Schema

_HARMLESS = frozenset(
    ("random", "clock_timestamp", "gen_random_uuid", "timeofday", "uuidv4", "uuidv7")
)
# Volatile functions of PostgreSQL whose effects end with the transaction, or are data.
_CLEAN = frozenset(("nextval", "setval", "pg_notify", "pg_sleep", "pg_sleep_for", "pg_sleep_until"))
_COERCIONS = frozenset(("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN", "COLLATEEXPR"))
_CALLS = {
    "FUNCEXPR": "funcid",
    "OPEXPR": "opfuncid",
    "DISTINCTEXPR": "opfuncid",
    "NULLIFEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "AGGREF": "aggfnoid",
    "WINDOWFUNC": "winfnoid",
}


@dataclass
class Feed:
    """Where one parameter goes.

    Attributes:
        uses: How often it stands in the statement.
        targets: The columns of an INSERT or UPDATE that it is stored in as it is.
        compared: The columns with a list of values, by table and number, that it is equal or
            unequal to.
    """

    uses: int = 0
    targets: list[tuple[Relation, Column]] = field(default_factory=list)
    compared: list[tuple[int, int]] = field(default_factory=list)

    @property
    def nullable(self) -> bool:
        """Whether it feeds nullable columns only."""
        return self.uses == len(self.targets) > 0 and not any(
            column.declared_not_null for _, column in self.targets
        )


def tables(trees: Iterable[Tree], schema: Schema) -> list[Relation]:
    """Return the relations that a statement reads or writes, views' bodies included."""
    found: dict[int, Relation] = {}
    for tree in trees:
        for entry in tree.of("RANGETBLENTRY"):
            relation = schema.relations.get(int(entry.get("relid") or 0))
            if relation is not None and entry["rtekind"] == str(RELATION):
                found[relation.oid] = relation
    return sorted(found.values(), key=lambda relation: (relation.schema, relation.name))


def needs_tenant(relations: list[Relation], parameter: str, exempt: tuple[str, ...]) -> bool:
    """Whether one of the tables holds rows of tenants."""
    return any(is_tenant_table(relation, parameter, exempt) for relation in relations)


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
    called = {int(node[name]) for kind, name in _CALLS.items() for node in tree.of(kind)}
    return all(_is_harmless(schema.functions.get(oid)) for oid in called - {0})


def leaves(tree: Tree, schema: Schema) -> bool:
    """Whether a statement may leave something in the session, for whoever gets it next.

    Provably not: queries and writes that call no volatile function but some of PostgreSQL's
    own. What triggers do belongs to the schema.
    """
    if not tree.queries or any(query["utilityStmt"] for query in tree.of("QUERY")):
        return True
    called = {int(node[name]) for kind, name in _CALLS.items() for node in tree.of(kind)}
    return not all(
        _is_harmless(function)
        or (function is not None and function.builtin and _is_clean(function))
        for function in map(schema.functions.get, called - {0})
    )


def _is_clean(function: Function) -> bool:
    return function.name in _CLEAN or "_xact" in function.name


def _is_harmless(function: Function | None) -> bool:
    if function is None:
        return False
    return function.volatility != "v" or (function.builtin and function.name in _HARMLESS)


def feeds(tree: Tree, schema: Schema, listed: Container[tuple[int, int]]) -> dict[int, Feed]:
    """Return where each parameter goes, by its number.

    Args:
        tree: Of the statement.
        schema: The catalog.
        listed: The columns, by table and number, that take some values only.
    """
    found: dict[int, Feed] = {}
    for node in tree.of("PARAM"):
        if node["paramkind"] == "0":
            found.setdefault(int(node["paramid"]), Feed()).uses += 1
    for query in tree.of("QUERY"):
        for number, relation, column in _stores(query, schema):
            found[number].targets.append((relation, column))
    for number, key in _comparisons(tree, schema, listed):
        found[number].compared.append(key)
    return found


def _comparisons(
    tree: Tree, schema: Schema, listed: Container[tuple[int, int]]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each parameter that is compared with a listed column, and the column."""
    levels = list(tree.of("QUERY"))
    found = [
        (node, pair)
        for node in tree.of("OPEXPR", "SCALARARRAYOPEXPR")
        if schema.operators.get(int(node["opno"])) in ("=", "<>")
        for pair in _column_and_parameter(node)
        if any(_key(level, pair[0]) in listed for level in levels)
    ]
    if len(levels) == 1:
        yield from ((number, _key(levels[0], column)) for _, (column, number) in found)
        return
    candidates = {id(node): pair for node, pair in found}
    for level in levels if candidates else ():
        for node in _own_nodes(level):
            if id(node) in candidates:
                column, number = candidates[id(node)]
                key = _key(level, column)
                if key in listed:
                    yield number, key


def _column_and_parameter(node: Node) -> Iterator[tuple[Node, int]]:
    one, other = (_uncoerced(argument) for argument in node["args"])
    for column, parameter in ((one, other), (other, one)):
        is_column = column["node"] == "VAR" and column["varlevelsup"] == "0"
        if is_column and parameter["node"] == "PARAM" and parameter["paramkind"] == "0":
            yield column, int(parameter["paramid"])


def _key(level: Node, column: Node) -> tuple[int, int]:
    """Return table and number of a column, zeros if it is not one of a table."""
    entries, index = level["rtable"] or (), int(column["varno"])
    if not 0 < index <= len(entries) or entries[index - 1]["rtekind"] != str(RELATION):
        return 0, 0
    return int(entries[index - 1]["relid"]), int(column["varattno"])


def _own_nodes(level: Node) -> Iterator[Node]:
    """Yield the nodes of one level, not those of its subqueries."""
    stack: list[Any] = list(level.values())
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict) and item["node"] != "QUERY":
            yield item
            stack.extend(item.values())


def _uncoerced(node: Node) -> Node:
    while node["node"] in _COERCIONS:
        node = node["arg"]
    return node


def _stores(query: Node, schema: Schema) -> Iterator[tuple[int, Relation, Column]]:
    """Yield each parameter that a writing query stores unchanged, and the column."""
    command, result = int(query["commandType"]), int(query["resultRelation"])
    if command not in (INSERT, UPDATE, MERGE) or not result:
        return
    entry = query["rtable"][result - 1]
    relation = schema.relations.get(int(entry["relid"])) if entry["rtekind"] == "0" else None
    if relation is None:
        return
    targets = list(query["targetList"] or ()) if command != MERGE else []
    if query["onConflict"]:
        targets += query["onConflict"]["onConflictSet"] or ()
    for action in query["mergeActionList"] or ():
        targets += action["targetList"] or ()
    for target in targets:
        column = relation.columns.get(int(target["resno"]))
        if column is not None and target["resjunk"] == "false":
            for number in _sources(target["expr"], query):
                yield number, relation, column


def _sources(node: Node | None, query: Node) -> Iterator[int]:
    """Yield the parameters whose value an expression hands on unchanged."""
    while node is not None and (
        node["node"] in _COERCIONS
        or (node["node"] == "FUNCEXPR" and node["funcformat"] in ("1", "2"))
    ):
        node = node["arg"] if "arg" in node else node["args"][0]
    if node is None:
        return
    if node["node"] == "PARAM" and node["paramkind"] == "0":
        yield int(node["paramid"])
    elif node["node"] == "VAR" and node["varlevelsup"] == "0" and int(node["varattno"]) > 0:
        index, number = int(node["varno"]), int(node["varattno"])
        entry = query["rtable"][index - 1]
        if int(entry["rtekind"]) == VALUES:
            for row in entry["values_lists"]:
                yield from _sources(row[number - 1], query)
        elif int(entry["rtekind"]) == SUBQUERY and entry["subquery"]:
            subquery = entry["subquery"]
            targets = subquery["targetList"] or ()
            if not subquery["setOperations"] and number <= len(targets):
                yield from _sources(targets[number - 1]["expr"], subquery)
