"""Which writes may be sent twice: proved over PostgreSQL's own tree, never guessed. Pure.

Only an upsert is: sent again after its answer was lost, it finds the row that it made, and
changes nothing of it. So each column of its ``on conflict (…)`` is fed by a parameter (or by
a constant), all that it updates is what the insert itself would have written, and nothing
volatile runs beside. ``do nothing`` is not: the second answer would differ from the lost one.
What triggers do belongs to the schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from todo_sql.compiler.effects import HARMLESS
from todo_sql.compiler.proof.levels import INSERT, RELATION, SELECT, VALUES
from todo_sql.compiler.proof.nodes import Node, Tree, parameter, uncast, walk
from todo_sql.compiler.schema import CALLS, Schema

_NONE: frozenset[str] = frozenset()
_DO_UPDATE = "2"
_IS_NULL = "0"
# Of a column's default: a gap in a sequence, or a value that the repeat throws away.
_DEFAULTS = HARMLESS | {"nextval"}


def repeat_keys(tree: Tree, names: Sequence[str], schema: Schema) -> frozenset[str]:
    """Return the parameters that make a repeat harmless if none of them is NULL, or none.

    Args:
        tree: Of one variant, with the places of its nodes: a default has none.
        names: Its parameters, in the order of ``$1``, ``$2``, …
    """
    main = tree.main
    if main is None or len(tree.queries) != 1:
        return _NONE
    writes = [query for query in tree.of("QUERY") if int(query["commandType"]) != SELECT]
    if any(query["rowMarks"] for query in tree.of("QUERY")) or len(writes) != 1:
        return _NONE
    (insert,) = writes  # the whole, or a part `with made as (insert …)` that the rest reads
    if int(insert["commandType"]) != INSERT:
        return _NONE
    conflict = insert["onConflict"]
    if not conflict or conflict["action"] != _DO_UPDATE or conflict["arbiterWhere"]:
        return _NONE  # a partial index may not hold the row that was made
    if insert["cteList"] or insert["hasTargetSRFs"] == "true":
        return _NONE
    upsert = _Upsert(insert, conflict, schema, main)
    return frozenset(names[number - 1] for number in upsert.parameters())


class _Upsert(NamedTuple):
    """One ``insert … values … on conflict (…) do update``, in the statement that holds it."""

    insert: Node
    conflict: Node
    schema: Schema
    whole: Node

    def parameters(self) -> set[int]:
        """Return the numbers of the parameters that make a repeat harmless, or none."""
        stored = self._stored()
        arbiters = [one["expr"] for one in self.conflict["arbiterElems"] or ()]
        if stored is None or not arbiters or any(one["node"] != "VAR" for one in arbiters):
            return set()
        columns = {int(one["varattno"]) for one in arbiters}
        found: set[int] = set()
        unread: list[Node] = []  # what stands behind a parameter that is given
        for column in columns:
            for value in stored.get(column, [None]):
                number = _given(value, unread)
                if number is not None:
                    found.add(number)
                elif value is None or uncast(value)["node"] != "CONST":
                    return set()
        if not self._writes_the_same(stored, columns) or not self._finds_it_again(stored):
            return set()
        ignored = {id(node) for node in unread}
        return set() if self._is_volatile(self.whole, ignored) else found

    def _stored(self) -> dict[int, list[Node]] | None:
        """Return what is inserted by column, a value for each row; None: rows of a query."""
        entries = self.insert["rtable"] or ()
        sources = (self.insert["jointree"] or {}).get("fromlist") or ()
        rows: Node | None = None
        for source in sources:
            if source["node"] != "RANGETBLREF" or rows is not None:
                return None
            rows = entries[int(source["rtindex"]) - 1]
            if int(rows["rtekind"]) != VALUES:
                return None
        if any(int(entry["rtekind"]) not in (RELATION, VALUES) for entry in entries):
            return None
        stored = {}
        for target in self.insert["targetList"] or ():
            value = target["expr"]
            inner = uncast(value)
            if rows is not None and inner["node"] == "VAR":
                place = int(inner["varattno"]) - 1
                stored[int(target["resno"])] = [row[place] for row in rows["values_lists"]]
            else:
                stored[int(target["resno"])] = [value]
        return stored

    def _writes_the_same(self, stored: dict[int, list[Node]], keys: set[int]) -> bool:
        """Whether each column is updated to what a second insert would hold, the same as now."""
        for target in self.conflict["onConflictSet"] or ():
            column, value = int(target["resno"]), target["expr"]
            values = stored.get(column, [])
            if value["node"] == "VAR":
                excluded = value["varno"] == self.conflict["exclRelIndex"]
                same = excluded and int(value["varattno"]) == column
            else:
                number = parameter(uncast(value))
                same = number is not None and [parameter(uncast(one)) for one in values] == [number]
            if not same or (column not in keys and not all(map(self._is_settled, values))):
                return False
        return True

    def _finds_it_again(self, stored: dict[int, list[Node]]) -> bool:
        """Whether the condition of the update, if any, holds for the row that was inserted."""
        condition = self.conflict["onConflictWhere"]
        parts = [condition] if isinstance(condition, dict) else list(condition or ())
        while parts:
            part = parts.pop()
            if part["node"] == "BOOLEXPR" and part["boolop"] == "and":
                parts += part["args"]
                continue
            if part["node"] != "NULLTEST" or part["nulltesttype"] != _IS_NULL:
                return False
            column = part["arg"]
            if column["node"] != "VAR" or column["varno"] != self.insert["resultRelation"]:
                return False
            if int(column["varattno"]) in stored:  # else it is NULL, having no default
                return False
        return True

    def _is_settled(self, value: Node) -> bool:
        """Whether an expression gives the same when it is evaluated again."""
        for node in walk(value):
            function = self.schema.called(node)
            settled = ("i", "s") if function and function.builtin else ("i",)
            if node["node"] in ("SUBLINK", "NEXTVALUEEXPR"):
                return False
            if function and function.volatility not in settled:
                return False
        return True

    def _is_volatile(self, whole: Node, ignored: set[int]) -> bool:
        """Whether something volatile may run that is no harmless default of a column."""
        for node in walk(whole, ignored):
            if node["node"] not in CALLS or not int(node[CALLS[node["node"]]]):
                continue
            function = self.schema.called(node)
            if function is None:
                return True
            is_default = node.get("location") == "-1" and function.builtin
            if function.volatility == "v" and not (is_default and function.name in _DEFAULTS):
                return True
        return False


def _given(value: Node | None, unread: list[Node]) -> int | None:
    """Return the parameter that a value is wherever it is given, else None.

    Args:
        value: ``:a``, or ``coalesce(:a, …)``, with casts.
        unread: Gets what is evaluated only where the parameter is NULL.
    """
    if value is None:
        return None
    value = uncast(value)
    if value["node"] != "COALESCEEXPR":
        return parameter(value)
    first, *others = value["args"]
    number = parameter(uncast(first))
    if number is not None:
        unread += others
    return number
