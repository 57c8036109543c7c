"""Development data and load-test data, and the command that loads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from todo_sql.cli.app import main
from todo_sql.errors import ConfigError, DatabaseError
from todo_sql.migrations.seeds import seed

pytestmark = pytest.mark.database

SEEDS = Path(__file__).parents[2] / "seeds"


def counts(url: str) -> Any:
    """Return how many users, lists, tasks, tags and links there are."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            """
            select (select count(*) from users), (select count(*) from lists),
                (select count(*) from tasks), (select count(*) from tags),
                (select count(*) from task_tags)
            """
        ).fetchone()


def test_development_data_is_idempotent(todo_database: str) -> None:
    """The first run makes people with lists, tasks and tags, the second nothing."""
    assert [entry.rows for entry in seed(todo_database, SEEDS)] == [29]
    before = counts(todo_database)
    assert before == (3, 5, 11, 5, 5)
    assert [entry.rows for entry in seed(todo_database, SEEDS)] == [0]
    assert counts(todo_database) == before


def test_load_test_data_grows(todo_database: str) -> None:
    """N tasks, 1,000 a user; a larger N adds what is missing."""
    seed(todo_database, SEEDS, scale=500)
    assert counts(todo_database)[:3] == (4, 15, 511)
    seed(todo_database, SEEDS, scale=1500)
    assert counts(todo_database)[:3] == (5, 25, 1511)
    assert [entry.rows for entry in seed(todo_database, SEEDS, scale=1500)] == [0, 0]


def test_all_or_nothing(todo_database: str, tmp_path: Path) -> None:
    """A mistake in the last file takes back the first, and is shown at its place."""
    (tmp_path / "a.sql").write_text("insert into users (id, name, email) values ('x', 'x', 'x');")
    (tmp_path / "b.sql").write_text(
        "select 1;\ninsert into lists (user_id, nam) values ('x', 'x');"
    )
    with pytest.raises(DatabaseError) as caught:
        seed(todo_database, tmp_path)
    place = caught.value.finding.place
    assert place is not None
    assert (place.file.endswith("b.sql"), place.line, place.column) == (True, 2, 29)
    assert counts(todo_database)[0] == 0


def test_an_empty_database(empty_database: str) -> None:
    """Before the migrations there is nothing to fill, and the fix says so."""
    with pytest.raises(DatabaseError) as caught:
        seed(empty_database, SEEDS)
    assert caught.value.finding.fix == "run `todo-sql migrate` first"


def test_nothing_to_seed_with(todo_database: str, tmp_path: Path) -> None:
    """A folder that is missing or empty holds no seeds; a scale without scale.sql is a mistake."""
    for folder in (tmp_path / "none", tmp_path):
        assert seed(todo_database, folder) == []
    (tmp_path / "a.sql").write_text("select 1")
    with pytest.raises(ConfigError):
        seed(todo_database, tmp_path, scale=1)


def test_the_command(todo_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`todo-sql seed --json` prints one document, --scale adds its file."""
    project = str(SEEDS.parent)
    assert main(["seed", "--json", "--project", project, "--database", todo_database]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "seeded": [{"file": "seeds/development.sql", "rows": 29}]
    }
    assert main(["seed", "--scale", "10", "--project", project, "--database", todo_database]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "seeded seeds/development.sql: 0 rows" in shown.err
    assert "seeded seeds/scale.sql: 4" in shown.err
    assert main(["seed", "--scale", "0", "--project", project]) == 2
