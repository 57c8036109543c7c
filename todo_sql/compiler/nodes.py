"""PostgreSQL's own analysed tree of a query, as plain Python. Pure.

`debug_print_rewritten` makes the server send the tree of every prepared statement as a
notice, in the format of `pg_node_tree`: names resolved to OIDs, overloads chosen, views
replaced by their bodies. A node becomes a dict whose key ``node`` holds its kind; lists
become lists, ``<>`` becomes None, every other value stays a string.

Source: src/backend/nodes/outfuncs.c and read.c of PostgreSQL 15 to 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> list[Node]:
    """Return the query nodes of one notice; a rewrite rule can make several, or none."""
    if "\\" in text:
        tokens = _ESCAPED_TOKENS.findall(text)
    else:
        for character in "(){}":
            text = text.replace(character, f" {character} ")
        tokens = text.split()
    stream = iter(tokens)
    value = _value(next(stream), stream.__next__)
    queries: list[Node] = value if isinstance(value, list) else [value] if value else []
    return queries


def _value(token: str, advance: Callable[[], str]) -> Any:
    if token == "{":
        kind = advance()
        node: Node = {"node": _OLD_KINDS.get(kind, kind)}
        field = ""
        while (token := advance()) != "}":
            if token == "[":  # the bytes of a constant follow their count
                octets = []
                while (token := advance()) != "]":
                    octets.append(token)
                node[field] = octets
            else:
                field = token[1:]
                node[field] = _value(advance(), advance)
        return node
    if token == "(":
        items = []
        while (token := advance()) != ")":
            items.append(_value(token, advance))
        return items
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
