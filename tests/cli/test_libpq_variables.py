"""Without DATABASE_URL, libpq's own variables name the database, for every command."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.commands import todo_sql

# What stands in the variables, by libpq's parameter; the rest stands in a service file.
WAYS = {
    "variables": {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"},
    "service": {},
    "address": {"hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER"},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_migration_reaches_the_database_that_libpq_would(
    empty_database: str, tmp_path: Path, way: str
) -> None:
    """Migrate, status and a session go there, and no embedded server is started."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / "migrations").mkdir()
    name = "20260101000000_make_a"
    (tmp_path / "migrations" / f"{name}.sql").write_text("create table made_by_libpq ();\n")
    (tmp_path / "migrations" / f"{name}.rollback.sql").write_text("drop table made_by_libpq;\n")
    found = {k: str(v) for k, v in conninfo_to_dict(empty_database).items() if v is not None}
    found["hostaddr"] = found["host"]
    environment = {"PGPASSWORD": found["password"], "PGDATABASE": found["dbname"]}
    environment |= {variable: found[key] for key, variable in WAYS[way].items()}
    if way == "service":
        services = tmp_path / "services"
        words = ("host", "port", "user", "dbname")
        services.write_text("[shop]\n" + "".join(f"{key}={found[key]}\n" for key in words))
        environment |= {"PGSERVICE": "shop", "PGSERVICEFILE": str(services)}
        del environment["PGDATABASE"]
    answer = todo_sql("migrate", cwd=tmp_path, **environment)
    assert answer.returncode == 0, answer.stderr
    assert "embedded" not in answer.stderr
    assert not (tmp_path / ".todo-sql").exists()
    assert todo_sql("status", cwd=tmp_path, **environment).returncode == 0
    with psycopg.connect(empty_database) as connection:
        found_there = connection.execute("select to_regclass('made_by_libpq')::text").fetchone()
    assert found_there == ("made_by_libpq",)
