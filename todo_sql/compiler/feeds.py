"""Where the parameters of a statement go: stored, compared with a list, tested for NULL. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any

from todo_sql.compiler.proof.levels import (
    CTE,
    FUNCTION,
    GROUP,
    INSERT,
    JOIN,
    MERGE,
    RELATION,
    SUBQUERY,
    UPDATE,
    VALUES,
)
from todo_sql.compiler.proof.nesting import Level, levels_of, output, own_nodes
from todo_sql.compiler.proof.nodes import Node, Tree
from todo_sql.compiler.schema import Column, Relation, Schema

COERCIONS = frozenset(
    ("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN", "COLLATEEXPR", "ARRAYCOERCEEXPR")
)
_CASTS = frozenset("12")  # written as a cast, or implied
_TESTS = ("NULLTEST", "BOOLEANTEST", "DISTINCTEXPR", "COALESCEEXPR", "FUNCEXPR")
_COUNTERS = frozenset(("num_nulls", "num_nonnulls"))
_EXPRESSION, _MULTIPLE = "4", "5"


@dataclass(frozen=True, slots=True)
class Flow:
    """A parameter whose value an expression hands on.

    Attributes:
        direct: Whether always; else in a case of several, such as that it isn't NULL.
        element: Whether its elements rather than the array that it is.
    """

    number: int
    direct: bool
    element: bool


@dataclass
class Feed:
    """Where one parameter goes.

    Attributes:
        uses: How often it stands in the statement.
        targets: The columns of an INSERT or UPDATE that it is stored in as it is.
        stored: How often it, or one of its elements, is stored.
        strict: Whether it is stored where NULL is refused.
        strict_elements: Whether its elements are.
        tested: Whether the text itself tests it for NULL.
        tested_elements: Whether it tests its elements.
        compared: The columns with a list of values, by table and number, that it is equal or
            unequal to.
    """

    uses: int = 0
    targets: list[tuple[Relation, Column]] = field(default_factory=list)
    stored: int = 0
    strict: bool = False
    strict_elements: bool = False
    tested: bool = False
    tested_elements: bool = False
    compared: list[tuple[int, int]] = field(default_factory=list)

    @property
    def stored_only(self) -> bool:
        """Whether it feeds columns only."""
        return 0 < self.uses <= self.stored

    @property
    def nullable(self) -> bool:
        """Whether it feeds nullable columns only."""
        return 0 < self.uses <= len(self.targets) and not self.strict


def nullable(feeds: list[Feed]) -> bool:
    """Whether a parameter takes NULL, by where the variants of a query take it."""
    if any(feed.tested for feed in feeds):
        return not any(feed.strict for feed in feeds)
    return bool(feeds) and all(feed.nullable for feed in feeds)


def nullable_elements(feeds: list[Feed]) -> bool:
    """Whether a parameter that is an array takes NULL among its elements."""
    if any(feed.strict_elements for feed in feeds):
        return False
    return bool(feeds) and (
        any(feed.tested_elements for feed in feeds) or all(feed.stored_only for feed in feeds)
    )


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
    if not found:
        return found
    levels = levels_of(tree)
    for level in levels:
        for number in _copies(level):
            found[number].uses -= 1
        for source, relation, column in _stores(level, schema):
            feed = found[source.number]
            feed.stored += 1
            refuses = column.declared_not_null or schema.refuses_null(column.type)
            if source.element:
                feed.strict_elements |= refuses and source.direct
            else:
                feed.targets.append((relation, column))
                feed.strict |= refuses and source.direct
    for source in _tested(tree, levels, schema):
        if source.element:
            found[source.number].tested_elements = True
        else:
            found[source.number].tested = True
    for number, key in _comparisons(tree, levels, schema, listed):
        found[number].compared.append(key)
    return found


def _tested(tree: Tree, levels: list[Level], schema: Schema) -> Iterator[Flow]:
    """Yield each parameter that the text tests for NULL."""
    if not any(True for _ in tree.of(*_TESTS)):
        return
    for level in levels:
        for node in own_nodes(level.query) if len(levels) > 1 else tree.of(*_TESTS):
            for argument in _tests_of(node, schema):
                for part in argument["args"] if argument["node"] == "ROWEXPR" else (argument,):
                    yield from sources(part, level)


def _tests_of(node: Node, schema: Schema) -> list[Node]:
    match node["node"]:
        case "NULLTEST" | "BOOLEANTEST":
            return [node["arg"]]
        case "DISTINCTEXPR":
            return list(node["args"])
        case "COALESCEEXPR":
            return list(node["args"][:-1])
        case "FUNCEXPR":
            function = schema.functions.get(int(node["funcid"]))
            if function is not None and function.builtin and function.name in _COUNTERS:
                return list(node["args"] or ())
    return []


def _comparisons(
    tree: Tree, levels: list[Level], schema: Schema, listed: Container[tuple[int, int]]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each parameter that is compared with a listed column, and the column."""
    found = [
        (node, pair)
        for node in tree.of("OPEXPR", "SCALARARRAYOPEXPR")
        if schema.operators.get(int(node["opno"])) in ("=", "<>")
        for pair in _column_and_parameter(node)
        if any(_key(level.query, pair[0]) in listed for level in levels)
    ]
    if len(levels) == 1:
        yield from ((number, _key(levels[0].query, column)) for _, (column, number) in found)
        return
    candidates = {id(node): pair for node, pair in found}
    for level in levels if candidates else ():
        for node in own_nodes(level.query):
            if id(node) in candidates:
                column, number = candidates[id(node)]
                key = _key(level.query, column)
                if key in listed:
                    yield number, key


def _column_and_parameter(node: Node) -> Iterator[tuple[Node, int]]:
    one, other = (_uncoerced(argument) for argument in node["args"])
    for column, parameter in ((one, other), (other, one)):
        is_column = column["node"] == "VAR" and column["varlevelsup"] == "0"
        if is_column and _is_parameter(parameter):
            yield column, int(parameter["paramid"])


def _is_parameter(node: Node) -> bool:
    return bool(node["node"] == "PARAM" and node["paramkind"] == "0")


def _key(query: Node, column: Node) -> tuple[int, int]:
    """Return table and number of a column, zeros if it is not one of a table."""
    entries, index = query["rtable"] or (), int(column["varno"])
    if not 0 < index <= len(entries) or entries[index - 1]["rtekind"] != str(RELATION):
        return 0, 0
    return int(entries[index - 1]["relid"]), int(column["varattno"])


def _uncoerced(node: Node) -> Node:
    while node["node"] in COERCIONS:
        node = node["arg"]
    return node


def _uncast(node: Node) -> Node:
    """Return what an expression is before casts, which keep NULL."""
    while node["node"] in COERCIONS or (
        node["node"] == "FUNCEXPR" and node["funcformat"] in _CASTS and node["args"]
    ):
        node = node["arg"] if "arg" in node else node["args"][0]
    return node


def _written(query: Node) -> list[Node]:
    """Return the targets of a writing query that are columns of its table."""
    command, result = int(query["commandType"]), int(query["resultRelation"])
    if command not in (INSERT, UPDATE, MERGE) or not result:
        return []
    targets = list(query["targetList"] or ()) if command != MERGE else []
    if query["onConflict"]:
        targets += query["onConflict"]["onConflictSet"] or ()
    for action in query["mergeActionList"] or ():
        targets += action["targetList"] or ()
    return [target for target in targets if target["resjunk"] == "false"]


def _stores(level: Level, schema: Schema) -> Iterator[tuple[Flow, Relation, Column]]:
    """Yield each parameter that a writing query stores unchanged, and the column."""
    query = level.query
    for target in _written(query):
        entry = level.entry(int(query["resultRelation"]))
        relation = schema.relations.get(int(entry["relid"])) if entry["rtekind"] == "0" else None
        column = relation.columns.get(int(target["resno"])) if relation else None
        if relation is not None and column is not None:
            for source in sources(target["expr"], level):
                yield source, relation, column


def _copies(level: Level) -> Iterator[int]:
    """Yield the parameters of INSERT … SELECT that stand in its tree twice.

    PostgreSQL copies one without a type to the list of what is inserted.
    """
    if level.query["commandType"] != str(INSERT):
        return
    inserted = [_uncast(one["expr"]) for one in _written(level.query) if one["expr"]]
    numbers = [int(node["paramid"]) for node in inserted if _is_parameter(node)]
    for inner in level.subqueries.values():
        for target in inner.query["targetList"] or ():
            node = target["expr"]
            if _is_parameter(node) and int(node["paramid"]) in numbers:
                numbers.remove(int(node["paramid"]))
                yield int(node["paramid"])


def sources(
    node: Node | None,
    level: Level,
    direct: bool = True,
    element: bool = False,
    seen: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[Flow]:
    """Yield the parameters whose value an expression hands on unchanged.

    Args:
        node: The expression.
        level: Where it stands.
        direct: As in `Flow`.
        element: As in `Flow`.
        seen: The columns on the way, which end a recursion.
    """
    if node is None:
        return
    node = _uncast(node)
    parts: list[tuple[Any, Level, bool]] = []
    match node["node"]:
        case "PARAM" if node["paramkind"] == "0":
            yield Flow(int(node["paramid"]), direct, element)
        case "PARAM" if node["paramkind"] == "3":  # a column of `set (a, b) = (select …)`
            number = int(node["paramid"])
            for inner in level.sublinks:
                if inner[0]["subLinkType"] == _MULTIPLE and int(inner[0]["subLinkId"]) == (
                    number >> 16
                ):
                    parts += [(*one, direct) for one in _columns(inner[1], number & 0xFFFF)]
        case "VAR":
            key = (int(node["varno"]), int(node["varattno"]))
            home = level.up(int(node["varlevelsup"]))
            if home is None or key[1] <= 0 or (mark := (hash((id(home), key)), key[1])) in seen:
                return
            seen |= {mark}
            yield from _of_column(*key, home, direct, element, seen)
        case "SUBLINK" if node["subLinkType"] == _EXPRESSION:
            inner_level = next((one for link, one in level.sublinks if link is node), None)
            if inner_level is not None:
                parts += [(*one, direct) for one in _columns(inner_level, 1)]
        case "COALESCEEXPR":
            *first, last = node["args"]
            parts += [*((one, level, False) for one in first), (last, level, direct)]
        case "NULLIFEXPR":
            parts.append((node["args"][0], level, direct))
        case "CASEEXPR":
            results = [branch["result"] for branch in node["args"]]
            parts += [(one, level, False) for one in (*results, node["defresult"])]
        case "FUNCEXPR" if node["funcretset"] == "true" and len(node["args"] or ()) == 1:
            if not element and level.is_unnest(node):
                yield from sources(node["args"][0], level, direct, True, seen)
    for part, where, always in parts:
        yield from sources(part, where, always, element, seen)


def _of_column(
    index: int,
    number: int,
    home: Level,
    direct: bool,
    element: bool,
    seen: frozenset[tuple[int, int]],
) -> Iterator[Flow]:
    """Yield the sources of a column of something in FROM."""
    entry = home.entry(index)
    kind = int(entry["rtekind"])
    parts: list[tuple[Any, Level]] = []
    if kind == VALUES:
        parts = [(row[number - 1], home) for row in entry["values_lists"]]
    elif kind == JOIN:
        parts = [(entry["joinaliasvars"][number - 1], home)]
    elif kind == GROUP:
        parts = [(entry["groupexprs"][number - 1], home)]
    elif kind in (SUBQUERY, CTE):
        inner = home.inner(entry, index)
        parts = _columns(inner, number) if inner is not None else []
    elif kind == FUNCTION:
        at = 0
        for function in entry["functions"]:
            width = int(function["funccolcount"])
            if at + 1 == number and width == 1:
                parts = [(function["funcexpr"], home)]
            at += width
    for part, where in parts:
        yield from sources(part, where, direct, element, seen)


def _columns(level: Level, number: int) -> list[tuple[Node | None, Level]]:
    """Return the expressions that make a column of a query: one of each arm of a UNION."""
    operation = level.query["setOperations"]
    if not operation:
        return [(output(level, number), level)]
    found = []
    stack = [operation]
    while stack:
        arm = stack.pop()
        if arm["node"] == "RANGETBLREF":
            inner = level.subqueries.get(int(arm["rtindex"]))
            found += _columns(inner, number) if inner is not None else []
        else:
            stack += [arm["larg"], arm["rarg"]]
    return found
