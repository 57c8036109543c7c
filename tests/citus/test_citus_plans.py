"""`check --plans` on a coordinator: what goes to several shards, and what Citus refuses."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.citus import EXAMPLE, cluster_database, coordinator, distribute

from todo_sql.cli.app import main
from todo_sql.compiler.check import examine
from todo_sql.compiler.checks import shards
from todo_sql.compiler.describe import Compiler
from todo_sql.config import load_config
from todo_sql.queries.loader import load_text, read_folder
from todo_sql.sql.source import Source

ONE = "t.user_id = :user_id"
CASES = [
    (f"-- name: q :many\nselect t.id from tasks as t where {ONE} order by t.id", []),
    ("-- name: q :one\n-- allow: C110 all\nselect count(*) from tasks", ["C131"]),
    (f"-- name: q :many\nselect t.id from tasks as t where {ONE} or t.id = :id", ["C131"]),
    ("-- name: q :exec\n-- allow: C110 all\nupdate tasks set title = 'x' where id = :id", ["C131"]),
    (
        "-- name: q :many\n-- allow: C110 all\nselect t.id, (select count(*) from tags) as tags "
        f"from tasks as t where {ONE}",
        ["C131"],
    ),
    (  # row security says whose they are
        "-- name: q :many\n-- allow: C110 all\nselect t.id from tasks as t "
        f"where {ONE} and t.id in (select l.id from lists as l)",
        [],
    ),
    (
        f"-- name: q :many\n-- allow: C110 all\nselect t.id from tasks as t where {ONE}\n"
        "    and 0 < (select count(*) from tags as g where g.name = :some) -- if: some\n",
        ["C131"],
    ),
    (
        "-- name: q :many\n-- allow: C110 all\n-- allow: C131 a test\nselect id from tasks",
        [],
    ),
    ("-- name: q :many\n-- tenant: none\n-- allow: C110 a report\nselect id from tasks", []),
    (
        "-- name: q :one\n-- tenant: none\n-- allow: C110 a report\n"
        "select count(*) from tasks as t inner join lists as l on l.id = t.list_id",
        ["C132"],
    ),
    (
        "-- name: q :one\nupdate tasks as t set title = :title "
        f"where {ONE} and t.id = :id returning t.id, now() as at",
        ["C132"],
    ),
    ("-- name: q :many\nselect id, name from users", []),
    (
        "-- name: q :exec\ninsert into tasks (user_id, title) "
        "select :user_id, x.title from unnest(:titles::text[]) as x (title)",
        ["C132"],
    ),
    (
        "-- name: q :many\ninsert into tasks (user_id, title) "
        "select :user_id, x.title from unnest(:titles::text[]) as x (title) returning id",
        [],
    ),
    (
        "-- name: q :exec\ninsert into tasks (user_id, title) select l.user_id, l.name "
        "from lists as l where l.user_id = :user_id",
        ["C132"],
    ),
]


def found(url: str, text: str) -> list[str]:
    """Return the codes of a query, as the coordinator finds them."""
    config = load_config(EXAMPLE)
    with psycopg.connect(url, autocommit=True) as connection:
        compiler = Compiler(connection, config)
        examined = compiler.examine(load_text(Source("q.sql", text + ";\n")), [examine])
        assert [one.query.name for one in examined if one.described] == ["q"]
        asked = shards.find(connection, examined, config)
    return [code for one in asked for code in (f.code for f in one.findings) if code > "C130"]


@pytest.mark.parametrize(("text", "codes"), CASES)
def test_what_is_said(distributed: str, text: str, codes: list[str]) -> None:
    """A tenant's query that is not on one shard, and what has no plan; reports may go round."""
    assert found(distributed, text) == codes


def test_the_todo_queries_are_clean(distributed: str) -> None:
    """Every named query, and what each is asked for stays as it was."""
    config = load_config(EXAMPLE)
    with psycopg.connect(distributed, autocommit=True) as connection:
        queries = read_folder(config.queries, config.root)
        examined = Compiler(connection, config).examine(queries.values(), [examine])
        assert shards.find(connection, examined, config) == examined
        left = connection.execute("select count(*) from pg_prepared_statements").fetchone()
    assert left == (0,)
    assert len(examined) > 30


def test_a_node_that_is_away_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, with what to do about it; no query is blamed."""
    with cluster_database(coordinator()) as url:
        distribute(url)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "select citus_update_node(nodeid, nodename, 1) from pg_dist_node "
                "where groupid > 0 order by nodeid limit 1"
            )
        code = main(["--project", str(EXAMPLE), "--database", url, "check", "--plans", "10"])
    said = capsys.readouterr().err
    assert code == 3, said
    assert "D107" in said
    assert "C132" not in said
    assert "start the other server" in said


def test_plan_on_a_coordinator(
    tmp_path: Path, distributed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy has no Citus, which `ignore` says: what is pending is weighed, and no error."""
    text = (EXAMPLE / "todo-sql.toml").read_text().replace("../../", f"{EXAMPLE.parents[1]}/")
    given = f'"{EXAMPLE / "migrations"}", "migrations"]'
    (tmp_path / "todo-sql.toml").write_text(text.replace('"migrations"]', given))
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20270101000000_comment.sql").write_text(
        "-- irreversible: as an example\ncomment on column tasks.title is 'x';\n"
    )
    assert main(["--project", str(tmp_path), "--database", distributed, "plan"]) == 0
    found = capsys.readouterr()
    assert "20270101000000_comment" in found.out
    assert "P113" not in found.out + found.err
