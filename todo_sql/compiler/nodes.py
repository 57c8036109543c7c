"""PostgreSQL's own analysed tree of a query, as plain Python. Pure.

`debug_print_rewritten` makes the server send the tree of every prepared statement as a
notice, in the format of `pg_node_tree`: names resolved to OIDs, overloads chosen, views
replaced by their bodies. A node becomes a dict whose key ``node`` holds its kind; lists
become lists, ``<>`` becomes None, every other value stays a string.

Trees share nodes: nothing here may be changed.

Source: src/backend/nodes/outfuncs.c and read.c of PostgreSQL 15 to 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Node = dict[str, Any]

_ESCAPED_TOKENS = re.compile(r"[(){}]|(?:[^\s(){}\\]|\\.)+", re.DOTALL)
_OLD_KINDS = {  # PostgreSQL 15 abbreviates some
    "CASE": "CASEEXPR",
    "COALESCE": "COALESCEEXPR",
    "MINMAX": "MINMAXEXPR",
    "ROW": "ROWEXPR",
    "ARRAY": "ARRAYEXPR",
    "ROWCOMPARE": "ROWCOMPAREEXPR",
    "RTE": "RANGETBLENTRY",
}
_IRRELEVANT = (
    r" :(?:(?:location|stmt_len|stmt_location|list_start|list_end) -?\d+"
    r"|(?:selectedCols|insertedCols|updatedCols|extraUpdatedCols) \(b[ \d]*\)"
    r"|sortClause (?:<>|\(.*?\))(?= :limitOffset)%s)"
)
_WITH_GROUPS = re.compile(_IRRELEVANT % "")
_WITHOUT_GROUPS = re.compile(_IRRELEVANT % r"|ressortgroupref \d+")
_SORTED_ONLY = re.compile(r" \{TARGETENTRY :expr \{VAR [^{}]*\} [^{}]*:resjunk true\}")
_SORT_KEY = re.compile(r":tleSortGroupRef (\d+)")
_SORT_CLAUSE = re.compile(r" :sortClause (<>|\(.*?\)) :limitOffset")
_COLUMN = re.compile(r"\{TARGETENTRY :expr (\{VAR [^{}]*\}) [^{}]*?:ressortgroupref ([1-9]\d*) ")
_LEAF = re.compile(r"(\{[A-Z_]+ (?>[^{}()]+|\(b[ \d]*\))*+\})")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Tree:
    """The trees of one statement.

    Attributes:
        queries: The query nodes; a rewrite rule can make several, or none.
        kinds: Every node by its kind, in order of the text.
    """

    __slots__ = ("kinds", "queries")

    def __init__(self, queries: list[Node], kinds: dict[str, list[Node]]) -> None:
        self.queries = queries
        self.kinds = kinds

    def of(self, *kinds: str) -> Iterator[Node]:
        """Yield every node of these kinds."""
        for kind in kinds:
            yield from self.kinds.get(kind, ())

    @property
    def main(self) -> Node | None:
        """The query whose rows are the statement's, or None."""
        main = [query for query in self.queries if query["canSetTag"] == "true"]
        return main[0] if len(main) == 1 else None


def parse(text: str) -> Tree:
    """Return the tree of one notice."""
    if not text:
        return Tree([], {})
    if "\\" in text:
        tokens = _ESCAPED_TOKENS.findall(text)
    else:
        tokens = []
        for index, part in enumerate(_LEAF.split(text)):
            tokens += [part] if index % 2 else _tokens(part)
    stream = iter(tokens)
    kinds: dict[str, list[Node]] = {}
    value = _value(next(stream), stream.__next__, kinds)
    queries: list[Node] = value if isinstance(value, list) else [value] if value else []
    return Tree(queries, kinds)


def canonical(text: str) -> str:
    """Return a tree's text without what doesn't matter for its columns: places and order.

    Variants that differ in their order only have the same text, and share one proof. A
    column that is sorted by and not returned is left out, too; an expression stays.
    """
    if ":groupClause (" in text:  # then the references tell what is grouped by
        return _WITH_GROUPS.sub("", text)
    if ":resjunk true" in text:
        text = _SORTED_ONLY.sub("", text)
    return _WITHOUT_GROUPS.sub("", text)


def plain_order(text: str) -> list[Node] | None:
    """Return the columns that a statement of one level sorts by, without parsing the rest.

    None where that takes the whole tree: subqueries, groups, expressions as sort keys.
    """
    clauses = _SORT_CLAUSE.findall(text)
    if (
        len(clauses) != 1
        or text.count("{QUERY ") != 1
        or ":groupClause <>" not in text
        or ":distinctClause <>" not in text
    ):
        return None
    columns = {reference: column for column, reference in _COLUMN.findall(text)}
    keys = _SORT_KEY.findall(clauses[0])
    if not columns.keys() >= set(keys):
        return None
    return [parse(columns[key]).queries[0] for key in keys]


def _tokens(text: str) -> list[str]:
    for character in "(){}":
        text = text.replace(character, f" {character} ")
    return text.split()


@lru_cache(maxsize=10_000)
def _leaf(text: str) -> Node:
    """Return a node without nodes below it; variants have most of theirs in common."""
    stream = iter(_tokens(text))
    node: Node = _value(next(stream), stream.__next__, {})
    return node


def _value(token: str, advance: Callable[[], str], kinds: dict[str, list[Node]]) -> Any:
    if token == "{":
        kind = advance()
        kind = _OLD_KINDS.get(kind, kind)
        node: Node = {"node": kind}
        kinds.setdefault(kind, []).append(node)
        field = ""
        while (token := advance()) != "}":
            if token == "[":  # the bytes of a constant follow their count
                octets = []
                while (token := advance()) != "]":
                    octets.append(token)
                node[field] = octets
                continue
            field = token[1:]
            token = advance()
            if token[0] in "{(":
                node[field] = _value(token, advance, kinds)
            else:
                node[field] = None if token == "<>" else token
        return node
    if token == "(":
        items = []
        while (token := advance()) != ")":
            items.append(_value(token, advance, kinds) if token[0] in "{(" else token)
        return items
    if token[0] == "{":
        node = _leaf(token)
        kinds.setdefault(node["node"], []).append(node)
        return node
    return None if token == "<>" else token


def name_of(value: str | None) -> str:
    """Return an identifier or string value without its quotes and backslashes."""
    if value is None:
        return ""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPE.sub(r"\1", value)


def walk(value: Any) -> Iterator[Node]:
    """Yield every node below a value, itself first."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(child for child in item.values() if isinstance(child, dict | list))
        elif isinstance(item, list):
            stack.extend(child for child in item if isinstance(child, dict | list))
