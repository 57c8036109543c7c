"""Random SELECTs over any schema, for holding claims of the compiler against the server.

Small integers and short texts, so that joins both meet and miss; every kind of join at
every level, CTEs, lateral and scalar subqueries, set operations, grouping sets, windows,
CASE, and conditions that do or don't exclude NULL.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

Column = tuple[str, str]
"""A reference such as ``t1.id``, and its kind: int, text, bool, time, or other."""

KINDS = {
    "integer": "int",
    "bigint": "int",
    "numeric": "int",
    "text": "text",
    "boolean": "bool",
    "timestamp with time zone": "time",
    "positive": "int",
}
VALUES = {
    "int": ["0", "1", "2", "3"],
    "text": ["'a'", "'b'", "''"],
    "bool": ["true", "false"],
    "time": ["now()", "timestamptz 'infinity'", "timestamptz '2024-02-29 12:00+00'"],
}


def read_tables(
    connection: psycopg.Connection[Any], schema: str = "public"
) -> dict[str, list[Column]]:
    """Return the relations of a schema with the kinds of their columns."""
    rows = connection.execute(
        "select c.relname, a.attname, coalesce(format_type(nullif(t.typbasetype, 0), null),"
        " format_type(a.atttypid, null)) from pg_class as c"
        " join pg_attribute as a on a.attrelid = c.oid join pg_type as t on t.oid = a.atttypid"
        " where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p', 'v', 'm')"
        " and a.attnum > 0 and not a.attisdropped order by c.relname, a.attnum",
        [schema],
    ).fetchall()
    tables: dict[str, list[Column]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, []).append((column, KINDS.get(kind, "other")))
    return tables


@dataclass
class Generator:
    """Makes random queries; the same seed makes the same ones."""

    tables: dict[str, list[Column]]
    seed: int
    random: random.Random = field(init=False)
    names: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def query(self, depth: int = 3) -> str:
        """Return a query."""
        text, _ = self.select(depth, [])
        return text

    def _name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def _maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def _pick(self, items: list[Any]) -> Any:
        return self.random.choice(items)

    # queries

    def select(
        self, depth: int, outer: list[Column], width: list[str] | None = None
    ) -> tuple[str, list[str]]:
        """Return a query and the kinds of its columns c1, c2, …"""
        if depth > 1 and self._maybe(0.15):
            return self._set_operation(depth, outer, width)
        prefix, ctes = "", {}
        if depth > 1 and self._maybe(0.15):
            name = self._name()
            body, kinds = self.select(depth - 1, [])
            prefix = f"with {name} as ({body}) "
            ctes[name] = [(f"c{i}", kind) for i, kind in enumerate(kinds, 1)]
        elif depth > 1 and self._maybe(0.06):
            name = self._name()
            start, kinds = self.select(0, [], ["int", "text"])
            step = self._recursive_step(name)
            prefix = f"with recursive {name}(c1, c2) as ({start} union {step}) "
            ctes[name] = [("c1", "int"), ("c2", "text")]
        source, columns = self._source(depth, outer, ctes)
        where = f" where {self._condition(columns + outer, depth)}" if self._maybe(0.6) else ""
        if self._maybe(0.25):
            grouped, group, kinds = self._grouped(columns, depth, width)
            return f"{prefix}select {grouped} from {source}{where}{group}", kinds
        wanted = width or [self._kind() for _ in range(self.random.randint(1, 4))]
        scope = columns + outer
        items = [
            f"{self._expression(kind, scope, depth, windows=True)} as c{i}"
            for i, kind in enumerate(wanted, 1)
        ]
        distinct = "distinct " if self._maybe(0.08) else ""
        return f"{prefix}select {distinct}{', '.join(items)} from {source}{where}", wanted

    def _recursive_step(self, name: str) -> str:
        table = self._pick(list(self.tables))
        columns = [(f"r.{column}", kind) for column, kind in self.tables[table]]
        columns += [("w.c1", "int"), ("w.c2", "text")]
        first = self._expression("int", columns, 0)
        second = self._expression("text", columns, 0)
        join = self._pick(["join", "right join"])
        chosen = f"({first}) % 5, left({second}, 3)"
        return f"select {chosen} from {table} as r {join} {name} as w on w.c1 < 4"

    def _set_operation(
        self, depth: int, outer: list[Column], width: list[str] | None
    ) -> tuple[str, list[str]]:
        kinds = width or [self._kind() for _ in range(self.random.randint(1, 3))]
        left, _ = self.select(depth - 1, outer, kinds)
        right, _ = self.select(depth - 1, outer, kinds)
        word = self._pick(
            ["union", "union all", "intersect", "except", "intersect all", "except all"]
        )
        return f"({left}) {word} ({right})", kinds

    def _grouped(
        self, columns: list[Column], depth: int, width: list[str] | None
    ) -> tuple[str, str, list[str]]:
        keys = self.random.sample(columns, min(len(columns), self.random.randint(0, 2)))
        keys = [key for key in keys if key[1] != "other"]
        form = self._pick(["plain", "plain", "plain", "rollup", "cube", "sets"])
        names = [key[0] for key in keys]
        if not names:
            group = ""
        elif form == "plain":
            group = f" group by {', '.join(names)}"
        elif form == "sets":
            group = f" group by grouping sets (({names[0]}), ({', '.join(names)}))"
        else:
            group = f" group by {form} ({', '.join(names)})"
        kinds = width or [self._kind() for _ in range(self.random.randint(1, 4))]
        items = [
            f"{self._aggregate(kind, columns, keys, depth)} as c{i}"
            for i, kind in enumerate(kinds, 1)
        ]
        having = " having count(*) > 0" if self._maybe(0.1) else ""
        return ", ".join(items), group + having, kinds

    def _aggregate(self, kind: str, columns: list[Column], keys: list[Column], depth: int) -> str:
        own = [key for key in keys if key[1] == kind]
        if own and self._maybe(0.4):
            key = self._pick(own)[0]
            return str(self._pick([key, f"coalesce({key}, {self._pick(VALUES[kind])})"]))
        argument = self._expression(kind, columns, 0)
        extra = f" filter (where {self._condition(columns, 0)})" if self._maybe(0.1) else ""
        choices = {
            "int": [
                "count(*)",
                f"count({argument})",
                f"sum({argument})",
                f"max({argument})",
                f"coalesce(sum({argument}), 0)",
                f"avg({argument})",
                f"(array_agg({argument}))[1]",
            ],
            "text": [
                f"min({argument})",
                f"string_agg({argument}, ',')",
                f"coalesce(max({argument}), '')",
                f"json_agg({argument})::text",
            ],
            "bool": [f"bool_and({argument})", f"every({argument})", "count(*) > 1"],
            "time": [f"max({argument})", "now()"],
        }
        text = str(self._pick(choices[kind]))
        if (
            extra
            and text.endswith(")")
            and text.startswith(
                ("count", "sum", "max", "min", "bool", "every", "avg", "string_agg")
            )
        ):
            text += extra
        return text

    # sources

    def _source(
        self, depth: int, outer: list[Column], ctes: dict[str, list[Column]]
    ) -> tuple[str, list[Column]]:
        text, columns = self._item(depth, outer, ctes)
        for _ in range(self.random.randint(0, 3)):
            word = self._pick(
                ["join", "left join", "left join", "right join", "full join", "cross join", ","]
            )
            lateral = (
                word in ("join", "left join", "cross join", ",") and depth > 0 and self._maybe(0.2)
            )
            if lateral:
                body, kinds = self.select(depth - 1, columns + outer)
                name = self._name()
                other = f"lateral ({body}) as {name}"
                more = [(f"{name}.c{i}", kind) for i, kind in enumerate(kinds, 1)]
            elif self._maybe(0.2) and depth > 0:
                inner, more = self._source(depth - 1, outer, ctes)
                top = self._top(inner)
                other = f"({inner})" if "join" in top and "," not in top else ""
                if not other:
                    other, more = self._item(depth, outer, ctes)
            else:
                other, more = self._item(depth, outer, ctes)
            if word in (",", "cross join"):
                text = f"{text} cross join {other}"
            else:
                if self._maybe(0.2):
                    on = "true"
                elif word == "full join":
                    on = self._equality(columns, more)
                else:
                    on = self._condition(columns + more, 0)
                text = f"{text} {word} {other} on {on}"
            columns = columns + more
        return text, columns

    @staticmethod
    def _top(text: str) -> str:
        level, kept = 0, []
        for character in text:
            level += (character == "(") - (character == ")")
            if level == 0:
                kept.append(character)
        return "".join(kept)

    def _item(
        self, depth: int, outer: list[Column], ctes: dict[str, list[Column]]
    ) -> tuple[str, list[Column]]:
        name = self._name()
        if ctes and self._maybe(0.5):
            table = self._pick(list(ctes))
            return f"{table} as {name}", [
                (f"{name}.{column}", kind) for column, kind in ctes[table]
            ]
        if depth > 0 and self._maybe(0.2):
            body, kinds = self.select(depth - 1, [])
            return f"({body}) as {name}", [
                (f"{name}.c{i}", kind) for i, kind in enumerate(kinds, 1)
            ]
        if self._maybe(0.06):
            body = self._pick(["(values (1, 'a'), (null, 'b'))", "(values (1, 'a'), (2, 'b'))"])
            return f"{body} as {name} (c1, c2)", [(f"{name}.c1", "int"), (f"{name}.c2", "text")]
        if self._maybe(0.06):
            call = self._pick(
                ["generate_series(1, 2)", "unnest(array[1, null])", "unnest(array[1, 2])"]
            )
            return f"{call} with ordinality as {name} (c1, c2)", [
                (f"{name}.c1", "int"),
                (f"{name}.c2", "int"),
            ]
        table = self._pick(list(self.tables))
        return f"{table} as {name}", [
            (f"{name}.{column}", kind) for column, kind in self.tables[table]
        ]

    # expressions

    def _kind(self) -> str:
        return str(self._pick(["int", "int", "text", "text", "bool", "time"]))

    def _expression(
        self, kind: str, columns: list[Column], depth: int, windows: bool = False
    ) -> str:
        fitting = [name for name, found in columns if found == kind]
        if fitting and self._maybe(0.5):
            return str(self._pick(fitting))
        if self._maybe(0.2):
            return str(self._pick(VALUES[kind]))

        def again(of: str = kind) -> str:
            if depth <= -3:
                own = [name for name, found in columns if found == of]
                return str(self._pick(own or VALUES[of]))
            return self._expression(of, columns, depth - 1)

        general: list[Callable[[], str]] = [
            lambda: f"coalesce({again()}, {again()})",
            lambda: f"nullif({again()}, {again()})",
            lambda: (
                f"case when {self._condition(columns, depth - 1)} then {again()} else {again()} end"
            ),
            lambda: f"case when {self._condition(columns, depth - 1)} then {again()} end",
            lambda: f"greatest({again()}, {again()})",
        ]
        if depth > 0:
            general += [lambda: self._scalar(kind, columns, depth)]
        if windows:
            general += [lambda: self._window(kind, columns, depth)]
        special: dict[str, list[Callable[[], str]]] = {
            "int": [
                lambda: f"({again()} + {again()})",
                lambda: f"length({again('text')})",
                lambda: f"abs({again()})",
                lambda: (
                    f"extract({self._pick(['day', 'epoch', 'year'])} from {again('time')})::numeric"
                ),
                lambda: f"array_length(array[{again()}]::int[], 1)",
                lambda: f"cardinality(array[{again()}]::int[])",
            ],
            "text": [
                lambda: f"({again()} || {again()})",
                lambda: f"lower({again()})",
                lambda: f"{again('int')}::text",
                lambda: f"concat({again()}, {again('int')})",
                lambda: f"substring({again()} from 'a.')",
                lambda: f"to_char({again('time')}, 'YYYY')",
                lambda: f"(jsonb_build_object('k', {again()}) ->> 'k')",
            ],
            "bool": [
                lambda: f"({again('int')} < {again('int')})",
                lambda: f"({again('text')} is not null)",
                lambda: f"(not {again()})",
                lambda: f"({again('int')} in (1, {again('int')}))",
                lambda: f"({again('int')} is distinct from {again('int')})",
                lambda: f"({again()} or {again()})",
            ],
            "time": [
                lambda: f"({again()} + interval '1 day')",
                lambda: f"date_trunc('day', {again()})",
            ],
        }
        return str(self._pick([*general, *special[kind], *special[kind]])())

    def _scalar(self, kind: str, columns: list[Column], depth: int) -> str:
        if kind == "int" and self._maybe(0.3):
            source, own = self._source(0, [], {})
            return f"(select count(*) from {source} where {self._condition(own + columns, 0)})"
        if kind == "bool":
            source, own = self._source(0, [], {})
            return str(
                self._pick(
                    [
                        f"exists (select 1 from {source} where "
                        f"{self._condition(own + columns, 0)})",
                        f"({self._expression('int', columns, -2)} in (select "
                        f"{self._expression('int', own, -2)} from {source}))",
                    ]
                )
            )
        body, _ = self.select(0, columns, [kind])
        return f"({body} limit 1)"

    def _window(self, kind: str, columns: list[Column], depth: int) -> str:
        order = self._expression("int", columns, -2)
        frame = self._pick(
            [
                "",
                "",
                " rows between 1 preceding and current row",
                " rows between 1 following and 2 following",
                " rows between unbounded preceding and 1 preceding",
                " rows between current row and unbounded following exclude current row",
            ]
        )
        argument = self._expression(kind, columns, -2)
        over = f"over (order by {order}{frame})"
        plain = f"over (partition by {order})"
        choices = [
            f"first_value({argument}) {over}",
            f"lag({argument}) {plain}",
            f"lag({argument}, 1, {argument}) {plain}",
            f"max({argument}) {over}" if kind != "bool" else f"bool_or({argument}) {over}",
        ]
        if kind == "int":
            choices += [f"row_number() {plain}", f"sum({argument}) {over}", f"count(*) {over}"]
        return str(self._pick(choices))

    def _equality(self, left: list[Column], right: list[Column]) -> str:
        """Return a condition that a FULL JOIN takes: a column of each side, equal."""
        for kind in ("int", "text", "bool", "time"):
            ours = [name for name, found in left if found == kind]
            theirs = [name for name, found in right if found == kind]
            if ours and theirs:
                return f"{self._pick(ours)} = {self._pick(theirs)}"
        return "true"

    def _condition(self, columns: list[Column], depth: int) -> str:
        def operand(kind: str) -> str:
            return self._expression(kind, columns, -2)

        kind = self._kind()
        forms: list[Callable[[], str]] = [
            lambda: f"{operand(kind)} = {operand(kind)}",
            lambda: f"{operand(kind)} <> {operand(kind)}",
            lambda: f"{operand('int')} < {operand('int')}",
            lambda: f"{operand(kind)} is not null",
            lambda: f"{operand(kind)} is null",
            lambda: f"not ({operand(kind)} is null)",
            lambda: operand("bool"),
            lambda: f"{operand('bool')} is not true",
            lambda: f"{operand('bool')} is true",
            lambda: f"{operand('int')} = any (array[1, 2, {operand('int')}])",
            lambda: f"{operand('int')} <> all ('{{}}'::int[])",
            lambda: f"{operand('int')} in (1, 2, 3)",
            lambda: (
                f"({operand('int')}, {operand('text')}) < ({operand('int')}, {operand('text')})"
            ),
            lambda: f"{operand('int')} is not distinct from {operand('int')}",
        ]
        if depth > -3:

            def again() -> str:
                return self._condition(columns, depth - 2)

            forms += [
                lambda: f"({again()} and {again()})",
                lambda: f"({again()} or {again()})",
                lambda: f"not ({again()})",
            ]
        return str(self._pick(forms)())
