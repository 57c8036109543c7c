"""Where the parameters of a statement go: stored, compared with a list, tested for NULL. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import permutations

from todo_sql.compiler.proof import levels
from todo_sql.compiler.proof.levels import Level, levels_of, output, own_nodes
from todo_sql.compiler.proof.nodes import COERCIONS, Node, Tree, parameter, returned, uncast
from todo_sql.compiler.schema import Column, Relation, Schema

_TESTS = ("NULLTEST", "BOOLEANTEST", "DISTINCTEXPR", "COALESCEEXPR", "FUNCEXPR")
_COUNTERS = frozenset(("num_nulls", "num_nonnulls"))

_UNNEST = "2331"  # unnest(anyarray)


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


def nullable(feeds: list[Feed]) -> bool:
    """Whether a parameter takes NULL, by where the variants of a query take it."""
    stored = bool(feeds) and all(0 < feed.uses <= len(feed.targets) for feed in feeds)
    tested = any(feed.tested for feed in feeds)
    return (stored or tested) and not any(feed.strict for feed in feeds)


def nullable_elements(feeds: list[Feed]) -> bool:
    """Whether a parameter that is an array takes NULL among its elements."""
    stored = bool(feeds) and all(0 < feed.uses <= feed.stored for feed in feeds)
    tested = any(feed.tested_elements for feed in feeds)
    return (stored or tested) and not any(feed.strict_elements for feed in feeds)


def feeds(tree: Tree, schema: Schema, listed: Container[tuple[int, int]]) -> dict[int, Feed]:
    """Return where each parameter goes, by its number.

    Args:
        listed: The columns, by table and number, that take some values only.
    """
    found: dict[int, Feed] = {}
    for node in tree.of("PARAM"):
        if (number := parameter(node)) is not None:
            found.setdefault(number, Feed()).uses += 1
    if not found:
        return found
    whole = levels_of(tree)
    for level in whole:
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
    for source in _tested(tree, whole, schema):
        if source.element:
            found[source.number].tested_elements = True
        else:
            found[source.number].tested = True
    for number, key in _comparisons(tree, whole, schema, listed):
        found[number].compared.append(key)
    return found


def _tested(tree: Tree, whole: list[Level], schema: Schema) -> Iterator[Flow]:
    """Yield each parameter that the text tests for NULL."""
    if not any(True for _ in tree.of(*_TESTS)):
        return
    for level in whole:
        for node in own_nodes(level.query) if len(whole) > 1 else tree.of(*_TESTS):
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
            function = schema.called(node)
            if function is not None and function.builtin and function.name in _COUNTERS:
                return list(node["args"] or ())
    return []


def _comparisons(
    tree: Tree, whole: list[Level], schema: Schema, listed: Container[tuple[int, int]]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each parameter that is compared with a listed column, and the column."""
    nodes = [
        node
        for node in tree.of("OPEXPR", "SCALARARRAYOPEXPR")
        if schema.operators.get(int(node["opno"])) in ("=", "<>")
    ]
    pairs = {id(node): pair for node in nodes for pair in _column_and_parameter(node)}
    keys = (_key(level.query, column) for column, _ in pairs.values() for level in whole)
    for level in whole if any(key in listed for key in keys) else ():
        for node in own_nodes(level.query) if len(whole) > 1 else nodes:
            if id(node) in pairs:
                column, number = pairs[id(node)]
                if (key := _key(level.query, column)) in listed:
                    yield number, key


def _column_and_parameter(node: Node) -> Iterator[tuple[Node, int]]:
    for column, other in permutations(map(_uncoerced, node["args"])):
        is_column = column["node"] == "VAR" and column["varlevelsup"] == "0"
        if is_column and (number := parameter(other)) is not None:
            yield column, number


def _key(query: Node, column: Node) -> tuple[int, int]:
    """Return table and number of a column, zeros if it is not one of a table."""
    entries, index = query["rtable"] or (), int(column["varno"])
    if not 0 < index <= len(entries) or entries[index - 1]["rtekind"] != str(levels.RELATION):
        return 0, 0
    return int(entries[index - 1]["relid"]), int(column["varattno"])


def _uncoerced(node: Node) -> Node:
    while node["node"] in COERCIONS:
        node = node["arg"]
    return node


def _written(query: Node) -> list[Node]:
    """Return the targets of a writing query that are columns of its table."""
    command, result = int(query["commandType"]), int(query["resultRelation"])
    if command not in (levels.INSERT, levels.UPDATE, levels.MERGE) or not result:
        return []
    targets = list(query["targetList"] or ()) if command != levels.MERGE else []
    if query["onConflict"]:
        targets += query["onConflict"]["onConflictSet"] or ()
    for action in query["mergeActionList"] or ():
        targets += action["targetList"] or ()
    return returned(targets)


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
    if level.query["commandType"] != str(levels.INSERT):
        return
    numbers = [parameter(uncast(one["expr"])) for one in _written(level.query) if one["expr"]]
    for inner in level.subqueries.values():
        for target in inner.query["targetList"] or ():
            number = parameter(target["expr"])
            if number is not None and number in numbers:
                numbers.remove(number)
                yield number


def sources(
    node: Node | None,
    level: Level,
    direct: bool = True,
    element: bool = False,
    seen: frozenset[tuple[int, int, int]] = frozenset(),
) -> Iterator[Flow]:
    """Yield the parameters whose value an expression hands on unchanged.

    Args:
        direct: As in `Flow`, like `element`.
        seen: The columns on the way, which end a recursion.
    """
    if node is None:
        return
    node = uncast(node)
    if (number := parameter(node)) is not None:
        yield Flow(number, direct, element)
    if node["node"] == "VAR":
        home, index, column = level.column(node)
        mark = (id(home), index, column)
        if mark in seen:
            return
        seen |= {mark}
    if node["node"] == "FUNCEXPR" and not element and node["funcid"] == _UNNEST:
        yield from sources(node["args"][0], level, direct, True, seen)
    for part, where, always in _parts(node, level):
        yield from sources(part, where, direct and always, element, seen)


def _parts(node: Node, level: Level) -> list[tuple[Node | None, Level, bool]]:
    """Return the expressions one of which is the value of another, and whether it always is."""
    match node["node"]:
        case "PARAM" if node["paramkind"] == "3":  # a column of `set (a, b) = (select …)`
            number = int(node["paramid"])
            return [
                (*one, True)
                for link, inner in level.sublinks
                if link["subLinkType"] == levels.MULTIPLE and int(link["subLinkId"]) == number >> 16
                for one in _columns(inner, number & 0xFFFF)
            ]
        case "VAR":
            return [(*one, True) for one in _behind(*level.column(node))]
        case "SUBLINK" if node["subLinkType"] == levels.EXPRESSION:
            inners = (inner for link, inner in level.sublinks if link is node)
            return [(*one, True) for inner in inners for one in _columns(inner, 1)]
        case "COALESCEEXPR":
            *first, last = node["args"]
            return [*((one, level, False) for one in first), (last, level, True)]
        case "NULLIFEXPR":
            return [(node["args"][0], level, True)]
        case "CASEEXPR":
            results = [branch["result"] for branch in node["args"]]
            return [(one, level, False) for one in (*results, node["defresult"])]
    return []


def _behind(home: Level, index: int, number: int) -> list[tuple[Node | None, Level]]:
    """Return the expressions that make a column of something in FROM."""
    if number <= 0:
        return []
    if alias := home.alias(index, number):
        return [(alias, home)]
    entry = home.entry(index)
    kind = int(entry["rtekind"])
    if kind == levels.VALUES:
        return [(row[number - 1], home) for row in entry["values_lists"]]
    if kind == levels.FUNCTION:
        widths = [int(function["funccolcount"]) for function in entry["functions"]]
        return [
            (function["funcexpr"], home)
            for at, function in enumerate(entry["functions"])
            if sum(widths[:at]) + 1 == number and widths[at] == 1
        ]
    inner = home.inner(index)
    return _columns(inner, number) if inner is not None else []


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
