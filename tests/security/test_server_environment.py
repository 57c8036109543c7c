"""The embedded server knows nothing of what its caller's environment holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support.commands import clean_environment
from support.commands import started as todo_sql

SECRET = "sesame-4711"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "BETTER_AUTH_SECRET": SECRET,
    "PGPASSWORD": SECRET,
    "LC_SECRET": SECRET,
    "HOME_TOKEN": SECRET,
    "TODO_SQL_REPLICA_URL": f"postgresql://u:{SECRET}@h/d",
}


@pytest.mark.parametrize("how", ["db start", "on demand", "library"])
def test_no_secret_of_the_caller_is_in_its_environment(how: str, tmp_path: Path) -> None:
    """Neither in its processes' environment, nor in that of a program it starts."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / "migrations").mkdir()
    tmp_path.chmod(0o755)
    try:
        if how == "library":
            code = (
                "from todo_sql.config import load_config\n"
                "from todo_sql.embedded.server import server_for\n"
                "server_for(load_config()).ensure_running()"
            )
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=tmp_path,
                env=clean_environment(**SECRETS),
                check=True,
            )
        else:
            words = ["db", "start"] if how == "db start" else ["migrate"]
            answer = todo_sql(*words, cwd=tmp_path, **SECRETS)
            assert answer.returncode == 0, answer.stderr
        url = todo_sql("db", "url", cwd=tmp_path).stdout.strip()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create temp table known (line text)")
            connection.execute(
                "copy known from program 'env' with (format csv, delimiter e'\\x01')"
            )
            kept = str(connection.execute("select array_agg(line) from known").fetchone())
            assert "PATH=" in kept
            assert SECRET not in kept
            pids = connection.execute(
                "select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)::int"
                " union all select pid from pg_stat_activity"
            ).fetchall()
        for (pid,) in pids:
            process = Path(f"/proc/{pid}/environ")
            if process.exists():
                assert SECRET.encode() not in process.read_bytes()
    finally:
        todo_sql("db", "destroy", "--yes", cwd=tmp_path)
