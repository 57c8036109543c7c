"""Objects that an attacker plants under the names that somebody else's code mentions.

Each has a number. Whatever of it runs takes an advisory lock of that number: locks outlive
savepoints, need no privilege, and are seen from outside the session under attack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from support.people import Connection
from todo_sql.sql.grammar import scan

AS_CALLER, AS_ANOTHER = 7301, 7302
"""The class of the lock: whether a plant ran as the login, or as somebody it should not be."""

KINDS = (
    "function",
    "aggregate",
    "operator",
    "collation",
    "domain",
    "type",
    "cast",
    "table",
    "view",
)

_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_IMPLICIT = {"=", "<>", "<", ">", "<=", ">=", "~~", "||"}  # IN, BETWEEN, NULLIF, LIKE, CASE

SPRING = """
create function {place}.planted(number pg_catalog.int4) returns pg_catalog.bool
language plpgsql as $$
begin
    perform pg_catalog.pg_advisory_lock(
        case when current_user operator(pg_catalog.=) session_user then 7301 else 7302 end, number
    );
    return true;
end
$$;
grant execute on function {place}.planted(pg_catalog.int4) to public;
"""
"""What every plant calls; made by the attacker, without whom nothing else is."""

GARDENER = """
create schema gardener;
grant usage on schema gardener to public;
create function gardener.plant(statements text[]) returns integer[] language plpgsql as $$
declare
    made integer[] := '{}';
begin
    for n in 1 .. cardinality(statements) loop
        begin
            execute statements[n];
            made := made || n;
        exception when others then
            null; -- there is such a thing already, or PostgreSQL knows no such thing
        end;
    end loop;
    return made;
end
$$
"""
"""Runs statements as its caller, those that fail aside; returns the numbers of the others."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One object: its kind, its name, and the statements that make it."""

    kind: str
    name: str
    statement: str


@dataclass(frozen=True)
class Mentioned:
    """What the code of a schema mentions: names of any kind, operators, types."""

    names: tuple[str, ...]
    operators: tuple[str, ...]
    relations: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def mentioned(owner: Connection) -> Mentioned:
    """Return what is mentioned by every function of the schema, and by its tables' columns.

    Everything that could be a name counts: words in strings too, since they may be run by
    EXECUTE; the types of arguments, results and columns, since assignments convert to them.
    """
    names: set[str] = set()
    operators = set(_IMPLICIT)
    for (body,) in owner.execute(
        """
        select pg_get_functiondef(p.oid) from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
        """
    ):
        _collect(body, names, operators)
    relations: dict[str, list[tuple[str, str]]] = {}
    for relation, column, type_name in owner.execute(
        """
        select c.relname, a.attname, format('%I.%I', n.nspname, t.typname)
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        inner join pg_type as t on t.oid = a.atttypid
        inner join pg_namespace as n on n.oid = t.typnamespace
        where c.relnamespace = 'public'::regnamespace and not a.attisdropped
            and not c.relispartition and c.relkind in ('r', 'p', 'v', 'm')
        order by c.relname, a.attnum
        """
    ):
        relations.setdefault(relation, []).append((column, type_name))
        names.add(type_name.split(".")[1].strip('"'))
    names |= relations.keys()
    names |= {
        name
        for (name,) in owner.execute(
            """
            select distinct t.typname from pg_proc as p
            cross join lateral unnest(
                p.prorettype || coalesce(p.proallargtypes, p.proargtypes::oid[])
            ) as used (oid)
            inner join pg_type as t on t.oid = used.oid
            where p.pronamespace = 'public'::regnamespace
            """
        )
    }
    names -= {
        word for (word,) in owner.execute("select word from pg_get_keywords() where catcode = 'R'")
    }
    # How the grammar calls what the text calls otherwise.
    names |= {"int4", "int8", "bool", "timestamptz", "timestamp", "interval", "varchar"}
    return Mentioned(tuple(sorted(names)), tuple(sorted(operators)), relations)


def _collect(text: str, names: set[str], operators: set[str]) -> None:
    """Add the words and operators of a text and, where it quotes others, of those."""
    try:
        tokens = scan(text)
    except Exception:  # a fragment, such as half of a quote: its words count all the same
        names |= {word for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text) if len(word) < 64}
        return
    for token in tokens:
        word = text[token.start : token.end]
        if word.startswith("$") and word.endswith("$") and len(word) > 3:
            inner = word[word.index("$", 1) + 1 :]
            _collect(inner[: inner.rindex("$", 0, -1)], names, operators)
        elif word.endswith("'"):
            _collect(word[word.index("'") + 1 : -1].replace("''", "'"), names, operators)
        elif word.startswith('"'):
            names.add(word[1:-1].replace('""', '"'))
        elif _OPERATOR.fullmatch(word):
            operators.add(word)
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", word):
            names.add(word.lower())


def plants(owner: Connection, place: str, what: Mentioned, round: str) -> list[Plant]:
    """Return the objects of one round, to be made in the schema `place`.

    Args:
        owner: Reads the catalog.
        place: The schema, as SQL writes it.
        what: Names to plant.
        round: ``code`` (functions, operators, collations) or one of ``domain``, ``type``
            (with casts), ``table``, ``view``, which share a name space.
    """
    makers = {
        "code": _code,
        "domain": _domains,
        "type": _types,
        "table": _tables,
        "view": _views,
    }
    return [
        Plant(plant.kind, plant.name, plant.statement.replace("«n»", str(number)))
        for number, plant in enumerate(makers[round](owner, place, what), 1)
    ]


ROUNDS = ("code", "domain", "type", "table", "view")


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return sql.Identifier(name).as_string(None)


def _function(place: str, name: str, arguments: str, result: str) -> str:
    """Return a function that runs the spring; «n» stands for its number."""
    ends = "" if _returns_nothing(arguments, result) else " null"
    return (
        f"create function {place}.{name}({arguments}) returns {result} language plpgsql as "
        f"$$ begin perform {place}.planted(«n»); return{ends}; end $$"
    )


def _returns_nothing(arguments: str, result: str) -> bool:
    return result.startswith(("SETOF", "TABLE", "void")) or "OUT " in arguments


def _code(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield functions of every signature that a name has, polymorphic ones, and operators."""
    names = list(what.names)
    signatures = owner.execute(
        """
        select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
            p.prokind = 'a' and p.pronargs = 0
        from pg_proc as p
        where p.proname = any(%s) and p.pronamespace in (
                'pg_catalog'::regnamespace, 'public'::regnamespace
            )
            and p.prokind in ('f', 'a', 'w')
        order by p.oid
        """,
        [names],
    ).fetchall()
    for name, arguments, result, star in signatures:
        if star:
            yield Plant(
                "aggregate",
                name,
                f"create function {place}.count_«n»(pg_catalog.int8) returns pg_catalog.int8 "
                f"language plpgsql as $$ begin perform {place}.planted(«n»); return 0; end $$; "
                f"create aggregate {place}.{quoted(name)}(*) (sfunc = {place}.count_«n», "
                "stype = pg_catalog.int8, initcond = '0')",
            )
            continue
        arguments = arguments.replace('VARIADIC "any"', "VARIADIC anycompatiblearray")
        yield Plant("function", name, _function(place, quoted(name), arguments, result))
    for name in names:
        for arguments, result in (
            ("", "pg_catalog.text"),
            ("anyelement", "anyelement"),
            ("anyelement, anyelement", "anyelement"),
            ("variadic anycompatiblearray", "pg_catalog.text"),
            ("pg_catalog.text", "pg_catalog.text"),
        ):
            yield Plant("function", name, _function(place, quoted(name), arguments, result))
    for name in (*names, "default", "C", "POSIX"):  # knows letters that "C" does not know
        collation = f"create collation {place}.{quoted(name)} (locale = 'C.utf8')"
        yield Plant("collation", name, collation)
    yield from _operators(owner, place, what)


def _operators(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield operators as the catalog has them, and for pairs of types for which it has none."""
    signatures = owner.execute(
        """
        with named as (
            select t.oid, format('pg_catalog.%%I', t.typname) as name
            from pg_type as t
            where t.typnamespace = 'pg_catalog'::regnamespace and t.typname = any(%(names)s)
                and t.typtype <> 'p' and t.typname !~ '^_'
        )
        select o.oprname, nullif(o.oprleft, 0)::regtype::text, o.oprright::regtype::text,
            o.oprresult::regtype::text
        from pg_operator as o
        where o.oprname = any(%(operators)s) and o.oprnamespace = 'pg_catalog'::regnamespace
        union
        select oprname, l.name, r.name, 'boolean'
        from unnest(%(operators)s::text[]) as oprname
        cross join named as l
        inner join named as r
            on l.name = r.name or 'pg_catalog.text' in (l.name, r.name)
        where l.name in ('pg_catalog.varchar', 'pg_catalog.text', 'pg_catalog.name')
            or not exists (
                select from pg_operator as o
                where (o.oprname, o.oprleft, o.oprright) = (oprname, l.oid, r.oid)
            )
        order by 1, 2, 3
        """,
        {"names": list(what.names), "operators": list(what.operators)},
    ).fetchall()
    for name, left, right, result in signatures:
        arguments = ", ".join(filter(None, (left, right)))
        sides = ", ".join(
            f"{side} = {type_name}"
            for side, type_name in (("leftarg", left), ("rightarg", right))
            if type_name
        )
        yield Plant(
            "operator",
            name,
            f"{_function(place, 'operator_«n»', arguments, result)}; "
            f"create operator {place}.{name} ({sides}, function = {place}.operator_«n»)",
        )


def _bases(owner: Connection, names: Iterable[str]) -> dict[str, str]:
    """Return PostgreSQL's type of each name that is one."""
    found = owner.execute(
        """
        select t.typname, format('pg_catalog.%%I', t.typname) from pg_type as t
        where t.typnamespace = 'pg_catalog'::regnamespace and t.typname = any(%s)
            and t.typtype in ('b', 'r', 'e')
        """,
        [list(names)],
    )
    return dict(found.fetchall())


def _domains(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield domains whose CHECK is the spring."""
    bases = _bases(owner, what.names)
    for name in what.names:
        base = bases.get(name, "pg_catalog.text")
        yield Plant(
            "domain",
            name,
            f"create domain {place}.{quoted(name)} as {base} check ({place}.planted(«n»))",
        )


def _types(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield types, each with casts from and to what PostgreSQL calls so."""
    bases = _bases(owner, what.names)
    for name in what.names:
        own = f"{place}.{quoted(name)}"
        yield Plant("type", name, f"create type {own} as enum ('x')")
        for other in {bases.get(name, "pg_catalog.text"), "pg_catalog.text", "pg_catalog.jsonb"}:
            for source, target in ((other, own), (own, other)):
                yield Plant(
                    "cast",
                    name,
                    f"{_function(place, 'cast_«n»', source, target)}; "
                    f"create cast ({source} as {target}) "
                    f"with function {place}.cast_«n» as implicit",
                )


def _tables(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield tables that notice each write, with the columns of the table of that name."""
    for name in what.names:
        columns = what.relations.get(name) or [("x", "pg_catalog.int4")]
        own = f"{place}.{quoted(name)}"
        listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
        yield Plant(
            "table",
            name,
            f"create table {own} ({listed}); "
            f"{_function(place, 'noticed_«n»', '', 'trigger')}; "
            f"create trigger noticed before insert or update or delete or truncate on {own} "
            f"for each statement execute function {place}.noticed_«n»(); "
            f"grant all on {own} to public",
        )


def _views(owner: Connection, place: str, what: Mentioned) -> Iterator[Plant]:
    """Yield views that notice each read, with the columns of the table of that name."""
    for name in what.names:
        columns = what.relations.get(name) or [("x", "pg_catalog.int4")]
        listed = ", ".join(f"null::{kind} as {quoted(column)}" for column, kind in columns)
        yield Plant(
            "view",
            name,
            f"create view {place}.{quoted(name)} as select {listed} where {place}.planted(«n»); "
            f"grant all on {place}.{quoted(name)} to public",
        )


def plant(session: Connection, place: str, objects: list[Plant]) -> list[Plant]:
    """Make objects as the session's login; return those that could be made."""
    made: list[Plant] = []
    session.execute("set search_path = pg_catalog, pg_temp")
    session.execute(SPRING.replace("{place}", place))
    for start in range(0, len(objects), 150):
        some = objects[start : start + 150]
        found = session.execute(
            "select gardener.plant(%s)", [[one.statement for one in some]]
        ).fetchone()
        assert found
        made += [some[number - 1] for number in found[0]]
    return made


def sprung(admin: Connection, session: Connection, objects: list[Plant]) -> list[tuple[str, Any]]:
    """Return which objects ran in a session, and whether as its login or as another."""
    found = admin.execute(
        """
        select objid, classid from pg_locks
        where locktype = 'advisory' and pid = %s and classid in (7301, 7302)
        order by objid
        """,
        [session.info.backend_pid],
    ).fetchall()
    who = {AS_CALLER: "as the caller", AS_ANOTHER: "as another role"}
    return [
        (f"{objects[number - 1].kind} {objects[number - 1].name}", who[kind])
        for number, kind in found
    ]
