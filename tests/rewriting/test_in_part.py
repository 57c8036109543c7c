"""`--in-part`: what no recipe does stays as it is, in a file of its own; the rest is rewritten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from todo_sql.rewriting.rewrite import Rewrite

pytestmark = pytest.mark.database

Rewritten = Callable[..., Rewrite]

TABLES = (
    "create table t (id bigint primary key, a int, b int, c text); create table u (n int);"
    'create table "T 2" (id int primary key, x int, y int references "T 2");'
)
INDEX = "create index on t (b);"
NO_RECIPE = {
    "not null, no default": ("", "alter table t add column d int not null;"),
    "a view stands on it": (
        "create view v as select id from t;",
        "alter table t alter a type bigint;",
    ),
    "one of two commands": (
        "",
        "alter table t add column d int not null, alter column c set not null;",
    ),
    "it refers to itself, quoted": ("", 'alter table "T 2" set unlogged;'),
    "cluster once more": ("alter table t cluster on t_pkey;", "cluster t;"),
    "no key to go by": ("", "alter table u alter column n type bigint;"),
    "a counter of a table without a key": ("", "alter table u add column id bigserial not null;"),
    "two of them": ("", "alter table u set unlogged; alter table t add column d int not null;"),
}


@pytest.mark.parametrize(("more", "without"), NO_RECIPE.values(), ids=NO_RECIPE)
def test_the_rest_is_rewritten(more: str, without: str, rewritten: Rewritten) -> None:
    """The statement stands in its place, alone and named; all of it is proved."""
    found = rewritten(TABLES + more, f"{INDEX}\n-- why: so\n{without}\n{INDEX}", in_part=True)
    assert found.proof == {"catalog": "equal", "rollback": "equal", "phases": "equal"}
    asks = [one for one in found.asks if one.code == "P301"]
    asked = [file for file in found.files if file.step.asked]
    assert asked
    assert len(asked) == len(asks)
    assert {one.severity for one in asks} == {"warning"}
    assert all("asked" in file.id and "no recipe does it" in file.text for file in asked)
    slugs = [file.step.slug for file in found.files]
    assert (slugs[0], slugs[-1]) == ("index", "index")


@pytest.mark.parametrize(("more", "without"), list(NO_RECIPE.values())[:2])
def test_nothing_is_done_unless_it_is_asked_for(
    more: str, without: str, rewritten: Rewritten
) -> None:
    """Without the flag nothing is written, and the ask is an error."""
    found = rewritten(TABLES + more, INDEX + without)
    assert found.files == ()
    assert {one.severity for one in found.asks if one.code == "P301"} == {"error"}


def test_where_no_recipe_does_anything_it_is_refused(rewritten: Rewritten) -> None:
    """A statement that has no recipe stays, and so does what is safe beside it."""
    forward = "comment on table t is 'x'; alter table t set unlogged;"
    found = rewritten("create table t (a int);", forward, in_part=True)
    assert found.files == ()
    assert [one.severity for one in found.asks] == ["error"]


def test_rows_that_do_not_fit_are_refused(rewritten: Rewritten) -> None:
    """What is certain to fail is not written, whatever the flag says."""
    found = rewritten(
        "create table t (a int, b int); insert into t values (1, null);",
        "create index on t (b); alter table t set unlogged; alter table t alter b set not null;",
        in_part=True,
    )
    assert found.files == ()
    assert "P114" in [one.code for one in found.asks if one.severity == "error"]
