"""Nothing that an attacker plants under a name that our functions mention runs or is read.

The names come from the catalog: a function of tomorrow is attacked as soon as it is there.
"""

from __future__ import annotations

import pytest
from support.planting import ATTACKERS, Field
from support.plants import ROUNDS

pytestmark = pytest.mark.database


@pytest.mark.parametrize("round", ROUNDS)
@pytest.mark.parametrize("place", ["pg_temp", "open_door", "public"])
def test_nothing_planted_runs(field: Field, place: str, round: str) -> None:
    """Whoever fires whatever function or trigger, with whatever planted under its words."""
    assert field.attack(place, round, (*ATTACKERS, "owner")) == []


def test_every_function_is_fired(field: Field) -> None:
    """What the attacks do not call, they say nothing of: teach `touches` to call it."""
    field.attack("open_door", "view", (*ATTACKERS, "owner"))
    assert field.functions() - field.fired() == set()


def test_the_former_schema_is_caught(former_field: Field) -> None:
    """The attack that was found: a domain in pg_temp, run by record_change as the owner."""
    found = former_field.attack("pg_temp", "domain", ("login_app", "login_auth"))
    for role in ("login_app", "login_auth"):
        assert f"domain jsonb in pg_temp ran as another role, fired by {role}" in found


BAD = {
    # What is caught: where it is planted, in which round, and a function that falls for it.
    "domain": ("pg_temp", "domain", "set search_path = ''", "declare v jsonb := '1';"),
    "type": ("pg_temp", "type", "set search_path = ''", "perform '1'::jsonb;"),
    "cast": ("pg_temp", "type", "set search_path = ''", "declare v jsonb := to_jsonb('x'::text);"),
    "table": ("pg_temp", "table", "set search_path = public", "delete from task_tags where false;"),
    "view": ("pg_temp", "view", "set search_path = public", "perform from lists;"),
    "function": ("open_door", "code", "", "perform lower('A');"),
    "aggregate": ("open_door", "code", "", "perform count(*) from pg_catalog.pg_am;"),
    "operator": ("open_door", "code", "", "perform 'a'::text || 'b';"),
    "code": (  # a collation runs nothing: it shows in what comes
        "open_door",
        "code",
        "",
        "if pg_catalog.upper('ä' collate \"C\") operator(pg_catalog.=) 'Ä' then"
        " raise 'fooled'; end if;",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_function_of_tomorrow_is_caught(field: Field, kind: str) -> None:
    """Each kind of object is noticed where a function on an open path runs or reads it."""
    place, round, path, body = BAD[kind]
    declared, code = (body, "") if body.startswith("declare") else ("", body)
    owner = field.login("owner")
    owner.execute(
        f"create function public.tomorrow() returns text language plpgsql security definer {path}"
        f" as $$ {declared} begin {code} return 'done'; end $$;"
        " grant execute on function public.tomorrow() to todo_app".encode()
    )
    found = field.attack(place, round, ("login_app",))
    owner.execute("drop function public.tomorrow()")
    assert any(one.startswith(f"{kind} ") for one in found), found
