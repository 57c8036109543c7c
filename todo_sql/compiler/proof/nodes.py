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
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

Node = dict[str, Any]
Kinds = dict[str, list[Node]]

_ABBREVIATED = ("CASE", "COALESCE", "MINMAX", "ROW", "ARRAY", "ROWCOMPARE")  # by PostgreSQL 15
_OLD_KINDS = {"RTE": "RANGETBLENTRY", **{kind: f"{kind}EXPR" for kind in _ABBREVIATED}}
_TYPE_FIELDS = {
    "VAR": "vartype",
    "CONST": "consttype",
    "PARAM": "paramtype",
    "FUNCEXPR": "funcresulttype",
    "OPEXPR": "opresulttype",
    "AGGREF": "aggtype",
    "WINDOWFUNC": "wintype",
    **dict.fromkeys(("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN"), "resulttype"),
    "CASEEXPR": "casetype",
    "COALESCEEXPR": "coalescetype",
    "MINMAXEXPR": "minmaxtype",
}
COERCIONS = frozenset(
    ("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN", "COLLATEEXPR", "ARRAYCOERCEEXPR")
)
_CASTS = frozenset("12")  # written as a cast, or implied
_SORTED_ONLY = re.compile(r" \{TARGETENTRY :expr \{VAR [^{}]*\} [^{}]*:resjunk true\}")
_SORT_KEY = re.compile(r":tleSortGroupRef (\d+)")
_SORT, _LIMIT, _SORT_REFERENCE = " :sortClause ", " :limitOffset ", " :ressortgroupref "
_SORT_CLAUSE = re.compile(r" :sortClause (<>|\(.*?\)) :limitOffset")
_TARGET = "{TARGETENTRY :expr "
_COLUMN = re.compile(_TARGET + r"(\{VAR [^{}]*\})[^{}]*\Z")
_AND = "{BOOLEXPR :boolop and :args ("
_BRACE = re.compile(r"[{}]")
_SHALLOW = re.compile(r"\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\}")  # of three levels
_TABLES = " :rtable ("
_TARGETS = " :targetList "
_PERMISSIONS = ") :rteperminfos "
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MOST_KEPT = 50_000
# While a tree is taken apart, a mark of its own stands for what a name escapes.
_STAND_INS = {character: chr(number) for number, character in enumerate("{}() ", start=1)}
_ESCAPED = {ord(mark): "\\" + character for character, mark in _STAND_INS.items()}


@dataclass(eq=False, slots=True)
class Tree:
    """The trees of one statement; compared by identity.

    Attributes:
        queries: The query nodes; a rewrite rule can make several, or none.
        kinds: Every node by its kind, in order of their ends in the text.
    """

    queries: list[Node]
    kinds: Kinds

    def of(self, *kinds: str) -> Iterator[Node]:
        """Yield every node of these kinds."""
        for kind in kinds:
            yield from self.kinds.get(kind, ())

    @property
    def main(self) -> Node | None:
        """The query whose rows are the statement's, or None."""
        main = [query for query in self.queries if query["canSetTag"] == "true"]
        return main[0] if len(main) == 1 else None


class _Reader:
    """Reads trees from the inside out: in a node's text, ``{7`` stands for a node below it.

    A query, or a node with one below it, gets a number of its own each time: ``{=7``.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Node]] = {}
        self._nodes: dict[str, Node] = {}
        self._tables: dict[str, tuple[str, Kinds]] = {}
        self._numbers = count()

    def read(self, text: str) -> Tree:
        if len(self._nodes) > _MOST_KEPT:
            for kept in (self._known, self._nodes, self._tables):
                kept.clear()
        if "\\" in text:
            text = _ESCAPE.sub(lambda found: _STAND_INS.get(found[1], found[0]), text)
        kinds: Kinds = {}
        own: list[str] = []
        first, *others = text.split(_TABLES)
        for index, other in enumerate(others):
            tables, end, rest = other.partition(_PERMISSIONS)
            if end and "{QUERY " not in tables:
                others[index] = self._read_tables(tables, kinds) + end + rest
        tokens = _tokens(self._reduce(_TABLES.join([first, *others]), kinds, own))
        value = self._value(tokens[0], iter(tokens[1:]))
        for reference in own:
            del self._nodes[reference]
        queries: list[Node] = value if isinstance(value, list) else [value] if value else []
        return Tree(queries, kinds)

    def _read_tables(self, text: str, kinds: Kinds) -> str:
        """Read a whole range table, which variants have in common; return what stands for it."""
        if text not in self._tables:
            news: Kinds = {}
            self._tables[text] = self._reduce(text, news, []), news
        reduced, found = self._tables[text]
        for kind, nodes in found.items():
            kinds.setdefault(kind, []).extend(nodes)
        return reduced

    def _reduce(self, text: str, kinds: Kinds, own: list[str]) -> str:
        """Put references in place of a text's nodes."""
        outer: list[list[str]] = []
        first, *opened = text.split("{")
        parts = [first]
        for begun in opened:
            first, *closed = begun.split("}")
            if first[0].isdigit():  # a reference already
                parts.append("{" + first)
            else:
                outer.append(parts)
                parts = [first]
            for following in closed:
                written = "".join(parts)
                found = self._known.get(written)
                if found is None:
                    found = self._make(written, own)
                reference, node = found
                kind = node["node"]
                if kind in kinds:
                    kinds[kind].append(node)
                else:
                    kinds[kind] = [node]
                parts = outer.pop()
                parts += reference, following
        return "".join(parts)

    def _make(self, written: str, own: list[str]) -> tuple[str, Node]:
        stream = iter(_tokens(written))
        kind = next(stream)
        node: Node = {"node": _OLD_KINDS.get(kind, kind)}
        field = ""
        for token in stream:
            if token[0] == ":":
                field = token[1:]
                node[field] = self._value(next(stream), stream)
            elif token == "[":  # the bytes of a constant follow their count
                node[field] = list(iter(stream.__next__, "]"))
        if kind == "QUERY" or "{=" in written:
            reference = f"{{={next(self._numbers)}"
            own.append(reference)
        else:
            reference = f"{{{next(self._numbers)}"
            self._known[written] = reference, node
        self._nodes[reference] = node
        return reference, node

    def _value(self, token: str, stream: Iterator[str]) -> Any:
        if token == "(":
            items = []
            while (token := next(stream)) != ")":
                items.append(self._value(token, stream))
            return items
        if token[0] == "{":
            return self._nodes[token]
        return None if token == "<>" else token


_reader = _Reader()


def parse(text: str) -> Tree:
    """Return the tree of one notice."""
    return _reader.read(text) if text else Tree([], {})


def canonical(text: str) -> str:
    """Return a tree's text without what doesn't matter for its columns: places and order.

    Variants that differ in their order only have the same text, and share one proof. A
    column that is sorted by and not returned is left out, too; an expression stays.
    """
    # In pieces, since most of them are those of other variants, too.
    tables, permissions, rest = text.partition(_PERMISSIONS)
    before, targets, after = rest.rpartition(_TARGETS)
    outputs, sort, after = after.rpartition(_SORT)
    ordered = ":groupClause (" not in rest  # else the references tell what is grouped by
    if ordered:
        outputs = _without_numbers(outputs, _SORT_REFERENCE)
        if ":resjunk true" in outputs:
            outputs = _SORTED_ONLY.sub("", outputs)
    if sort:
        after = after[after.index(_LIMIT) :]
    parts = (tables, permissions, before, targets, outputs)
    return "".join([*[_kept_short(part, ordered) for part in parts], _shortened(after, ordered)])


def _shortened(text: str, ordered: bool) -> str:
    if ordered:
        text = _without_numbers(text, _SORT_REFERENCE)
    first, *others = text.split(_SORT)
    text = "".join([first, *[part[part.index(_LIMIT) :] for part in others]])
    first, *others = text.split("edCols (b")
    text = "edCols (b".join([first, *[part[part.index(")") :] for part in others]])
    for field in (" :list_start ", " :list_end ") if " :list_" in text else ():
        text = _without_numbers(text, field)
    return _without_numbers(_without_numbers(text, ":stmt_len "), "location ", "location 0")


_kept_short = lru_cache(maxsize=256)(_shortened)


def _without_numbers(text: str, field: str, instead: str = "") -> str:
    first, *others = text.split(field)
    return instead.join([first, *[part.lstrip("-0123456789") for part in others]])


def conditions(text: str, parameters: Sequence[str]) -> tuple[str, frozenset[str]] | None:
    """Take the conditions that the outermost WHERE joins by AND out of a canonical text.

    Args:
        parameters: Their names, which are the same in texts that number them differently.

    Returns:
        What is left, and the conditions; None where they can't be told.
    """
    first, *others = text.split(":paramid ")
    named = dict(enumerate(parameters, start=1))
    for number, other in enumerate(others):
        digits, _, rest = other.partition(" ")
        others[number] = f"{named.get(int(digits), digits)} {rest}"
    text = ":paramid ".join([first, *others])
    start = _find(text, " :jointree {FROMEXPR ", 0, 0, depth=1)
    where = _find(text, " :quals ", start, 1, depth=2)
    end = _find(text, "} :merge", where, 2, depth=2)
    if "\\" in text or min(start, where, end) < 0:
        return None
    where += len(" :quals ")
    joined, found = text[where:end], []
    if joined.startswith(_AND):
        joined = joined[len(_AND) : joined.rindex(")")]
    at = joined.find("{")
    while at >= 0:
        shallow = _SHALLOW.match(joined, at)
        after = shallow.end() if shallow else _after_node(joined, at)
        found.append(joined[at:after])
        at = joined.find("{", after)
    return text[:where] + text[end:], frozenset(found)


def _after_node(text: str, start: int) -> int:
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)


def _find(text: str, wanted: str, start: int, around: int, *, depth: int) -> int:
    """Return where a text stands inside so many braces, or -1; `around` are those at `start`."""
    at = text.find(wanted, start) if start >= 0 else -1
    while at >= 0:
        around += text.count("{", start, at) - text.count("}", start, at)
        if around == depth:
            return at
        start, at = at, text.find(wanted, at + 1)
    return at


def _tokens(text: str) -> list[str]:
    tokens = [token for token in text.replace("(", "( ").replace(")", " )").split(" ") if token]
    return tokens if text.isprintable() else [token.translate(_ESCAPED) for token in tokens]


def plain_order(text: str) -> list[Node] | None:
    """Return the columns that a statement of one level sorts by, without parsing the rest.

    None where that takes the whole tree: subqueries, groups, expressions as sort keys.
    """
    if text.count("{QUERY ") != 1:
        return None
    rest = text.rpartition(_TARGETS)[2]
    clause = _SORT_CLAUSE.search(rest)
    plain = ":groupClause <>" in rest and ":distinctClause <>" in rest and "{AGGREF " not in rest
    if clause is None or not plain:
        return None
    found = []
    for key in _SORT_KEY.findall(clause[1]):
        reference = rest.index(f" :ressortgroupref {key} ")
        column = _COLUMN.match(rest, rest.rindex(_TARGET, 0, reference), reference)
        if column is None:
            return None
        found += parse(column[1]).queries
    return found


def name_of(value: str | None) -> str:
    """Return an identifier or string value without its quotes and backslashes."""
    if value is None:
        return ""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPE.sub(r"\1", value)


def type_of(node: Node) -> int:
    """Return the OID of an expression's type, 0 where its node does not say."""
    return int(node.get(_TYPE_FIELDS.get(node["node"], ""), 0))


def octets(constant: Node) -> bytes:
    """Return the bytes of a constant's value."""
    return bytes(int(octet) & 0xFF for octet in constant["constvalue"] or ())


def returned(targets: list[Node] | None) -> list[Node]:
    """Return the targets that are columns of what comes out; others are sorted by, say."""
    return [one for one in targets or () if one["resjunk"] == "false"]


def parameter(node: Node) -> int | None:
    """Return the number of the parameter that a node is, or None."""
    return int(node["paramid"]) if node["node"] == "PARAM" and node["paramkind"] == "0" else None


def uncast(node: Node) -> Node:
    """Return what an expression is before casts, which keep NULL."""
    while node["node"] in COERCIONS or (
        node["node"] == "FUNCEXPR" and node["funcformat"] in _CASTS and node["args"]
    ):
        node = node["arg"] if "arg" in node else node["args"][0]
    return node


def walk(value: Any, but: Container[int] = ()) -> Iterator[Node]:
    """Yield every node below a value, itself first, but for those of some identities."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict) and id(item) not in but:
            yield item
            stack.extend(child for child in item.values() if isinstance(child, dict | list))
        elif isinstance(item, list):
            stack.extend(child for child in item if isinstance(child, dict | list))
