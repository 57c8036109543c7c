"""`import alembic` and `import django`: the project's code is run, and the catalog is the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import clean_environment
from support.database import Server
from support.importing import lay, run
from support.migrations import fetch

pytestmark = pytest.mark.database

ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool

if context.is_offline_mode():
    context.configure(url=context.config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    section = context.config.get_section("alembic")
    engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
REVISION = '''"""{name}

Create Date: {created}
"""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}


def upgrade():
    {up}


def downgrade():
    {back}
'''
TABLE = (
    'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("name", sa.Text, nullable=False))\n'
    '    op.bulk_insert(sa.table("users", sa.column("name")), [{"name": "O\'Brien 5 %"}, '
    '{"name": "a\\\\b"}])'
)
ROWS = (
    'rows = op.get_bind().execute(sa.text("select id, name from users")).all()\n'
    '    op.add_column("users", sa.Column("loud", sa.Text))\n'
    "    for row in rows:\n"
    '        op.get_bind().execute(sa.text("update users set loud = :l where id = :i"), '
    '{"l": row.name.upper(), "i": row.id})'
)
INDEX = (
    "with op.get_context().autocommit_block():\n"
    '        op.create_index("users_name", "users", ["name"], postgresql_concurrently=True)'
)
REVISIONS = (
    ("a1", "users", None, TABLE, 'op.drop_table("users")'),
    ("b1", "loud", "a1", ROWS, 'op.drop_column("users", "loud")'),
    ("b2", "index", "a1", INDEX, "pass"),
    ("c1", "merge", ("b1", "b2"), "pass", "pass"),
)
ALEMBIC: dict[str, str] = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/db\n"
    "sqlalchemy.url = postgresql+psycopg://localhost/never\n",
    "db/env.py": ENV,
    **{
        f"db/versions/{revision}.py": REVISION.format(
            revision=revision,
            name=name,
            down=down,
            up=up,
            back=back,
            created=f"2024-01-02 03:04:0{number}",
        )
        for number, (revision, name, down, up, back) in enumerate(REVISIONS)
    },
    "pyproject.toml": '[tool.todo-sql]\nmigrations = "ours"\n',
}


def alembic(folder: Path, url: str, *words: str) -> None:
    """Run Alembic itself on a database."""
    plain = url.partition("?")[0].replace("postgresql:", "postgresql+psycopg:")
    code = (
        "import sys; from alembic.config import Config; from alembic import command; "
        "config = Config('alembic.ini'); config.set_main_option('sqlalchemy.url', sys.argv[1]); "
        "getattr(command, sys.argv[2])(config, sys.argv[3])"
    )
    subprocess.run(
        [sys.executable, "-c", code, plain, *words],
        cwd=folder,
        env=clean_environment(),
        check=True,
        capture_output=True,
    )


@pytest.fixture
def scratch(server: Server) -> dict[str, str]:
    """Where histories are run, in environment variables."""
    return {"TODO_SQL_SCRATCH_URL": server.url(), "TODO_SQL_REPLAY": "superuser"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An Alembic project with a branch, a merge, Python that reads rows and an index."""
    lay(tmp_path, ALEMBIC)
    return tmp_path


def test_alembic_comes_over(project: Path, scratch: dict[str, str]) -> None:
    """Every revision, its values, what it says of itself; and the catalogs are equal."""
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert code == 0, document
    assert document["proof"] == "equal"
    assert sorted(one["key"] for one in document["files"]) == ["a1", "b1", "b2", "c1"]
    texts = {path.stem[15:]: path.read_text() for path in (project / "ours").glob("*.sql")}
    assert "'O''Brien 5 %'" in texts["users"] and "E'a\\\\b'" in texts["users"]
    assert "O''BRIEN 5 %" in texts["loud"] and "It read rows" in texts["loud"]
    assert "-- transactional: false" in texts["index"]
    assert "-- irreversible: its downgrade does nothing" in texts["index"]
    assert "DROP TABLE users" in texts["users.rollback"]


def test_rows_that_sqlalchemy_puts_into_one_insert(project: Path, scratch: dict[str, str]) -> None:
    """It sends many sets as one statement: each value stands in its place."""
    up = (
        f'{TABLE.partition(chr(10))[0]}\n    users = sa.table("users", sa.column("id"), '
        'sa.column("name"))\n    op.get_bind().execute(sa.insert(users).returning(users.c.id), '
        '[{"name": "one"}, {"name": "it\'s 2 %"}])'
    )
    for path in (project / "db" / "versions").glob("*.py"):
        path.unlink()
    text = REVISION.format(
        revision="a1",
        name="users",
        down=None,
        up=up,
        back='op.drop_table("users")',
        created="2024-01-02 03:04:00",
    )
    lay(project, {"db/versions/a1.py": text})
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert (code, document["proof"]) == (0, "equal"), document
    made = (project / document["files"][0]["to"]).read_text()
    assert "'one'" in made and "'it''s 2 %'" in made and made.count("INSERT") == 1


@pytest.mark.parametrize(
    ("done", "expected", "exit_code"),
    [
        (["upgrade", "head"], ["users", "loud", "index", "merge"], 0),
        (["upgrade", "b1"], ["users", "loud"], 0),
        (["stamp", "head"], ["users", "loud", "index", "merge"], 0),
        (["upgrade", "b2"], [], 1),  # `loud` read rows, and is pending here
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_the_heads_of_alembic_are_carried_over(
    done: list[str],
    expected: list[str],
    exit_code: int,
    project: Path,
    scratch: dict[str, str],
    empty_database: str,
) -> None:
    """All that a head stands on is applied, branches and merges too."""
    assert run(project, "alembic", ".", **scratch)[0] == 0
    alembic(project, empty_database, *done)
    words = ("alembic", "--ledger", "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == exit_code, document
    if code == 0:
        assert sorted(id[15:] for id in document["ledger"]["applied"]) == sorted(expected)
        rows = fetch(empty_database, "select migration_id from _yoyo_migration order by 1")
        assert sorted(id[15:] for id in rows) == sorted(expected)


def test_a_revision_that_fails_is_told(project: Path, scratch: dict[str, str]) -> None:
    """Nothing is written, and the reason is the revision's own."""
    path = project / "db" / "versions" / "b2.py"
    path.write_text(path.read_text().replace('"users", ["name"]', '"nobody", ["name"]'))
    code, document = run(project, "alembic", ".", **scratch)
    assert code == 1 and [one["code"] for one in document["refused"]] == ["A133"]
    assert "nobody" in document["refused"][0]["message"]
    assert not (project / "ours").exists()


def test_an_env_that_connects_elsewhere_is_refused(
    project: Path, scratch: dict[str, str], empty_database: str
) -> None:
    """A URL of its own is never written to."""
    path = project / "db" / "env.py"
    url = empty_database.partition("?")[0].replace("postgresql:", "postgresql+psycopg:")
    text = 'section = {"sqlalchemy.url": "' + url + '"}'
    path.write_text(
        path.read_text().replace('section = context.config.get_section("alembic")', text)
    )
    code, document = run(project, "alembic", ".", **scratch)
    assert code == 1 and "not to the scratch database" in document["refused"][0]["message"]
    assert fetch(empty_database, "select count(*) from pg_class where relname = 'users'") == [0]


def revised(folder: Path, revisions: Sequence[tuple[str, str, str]], env: str = ENV) -> None:
    """Write a history of one line: pairs of code, and what env.py does."""
    for path in (folder / "db" / "versions").glob("*.py"):
        path.unlink()
    lay(folder, {"db/env.py": env})
    before = None
    for number, (revision, up, back) in enumerate(revisions):
        text = REVISION.format(
            revision=revision,
            name=revision,
            down=before,
            up=up,
            back=back,
            created=f"2024-01-02 03:04:0{number}",
        )
        lay(folder, {f"db/versions/{revision}.py": text})
        before = revision


def test_the_way_back_goes_on_below_what_has_none(project: Path, scratch: dict[str, str]) -> None:
    """A downgrade that raises costs no other revision its own."""
    none = 'raise NotImplementedError("no way back")'
    revised(
        project,
        [
            ("a", 'op.create_table("t", sa.Column("id", sa.Integer))', 'op.drop_table("t")'),
            ("b", 'op.add_column("t", sa.Column("b", sa.Integer))', none),
            ("c", 'op.add_column("t", sa.Column("c", sa.Integer))', 'op.drop_column("t", "c")'),
            ("d", 'op.add_column("t", sa.Column("d", sa.Integer))', none),
            ("e", 'op.add_column("t", sa.Column("e", sa.Integer))', 'op.drop_column("t", "e")'),
        ],
    )
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert (code, document["proof"]) == (0, "equal"), document
    backs = [one["key"] for one in document["files"] if one["rollback"]]
    assert backs == ["a", "c", "e"]
    text = next((project / "ours").glob("*_b.sql")).read_text()
    assert "-- irreversible: its downgrade did not run: NotImplementedError: no way back" in text


def test_what_a_text_says_of_percent(project: Path, scratch: dict[str, str]) -> None:
    """One percent sign is one, with and without values; a last comment hides no semicolon."""
    first = 'op.create_table("t", sa.Column("a", sa.Text, server_default="100% off"))'
    second = """op.execute("alter table t alter a set default '5 % of 100%' -- as asked")"""
    back = """op.execute("alter table t alter a set default '100% off'")"""
    third = """op.get_bind().execute(sa.text("insert into t values (:a || '%')"), {"a": "%"})"""
    revised(
        project,
        [("a", first, 'op.drop_table("t")'), ("b", second, back), ("c", third, "pass")],
    )
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert (code, document["proof"]) == (0, "equal"), document
    texts = {path.stem[15:]: path.read_text() for path in (project / "ours").glob("*.sql")}
    assert "'5 % of 100%'" in texts["b"] and "'100% off'" in texts["b.rollback"]
    assert "'%' || '%'" in texts["c"].replace("(", "").replace("::VARCHAR", "")


OWN_TABLE = ENV.replace(
    "context.configure(connection=connection)",
    'connection.execute(sa.text("create schema if not exists ops"))\n'
    "        connection.commit()\n"
    '        context.configure(connection=connection, version_table="done", '
    'version_table_schema="ops")',
).replace("from alembic import context", "import sqlalchemy as sa\nfrom alembic import context")
AFTER = "\n            connection.execute(sa.text('comment on schema ops is $$ours$$'))\n"


def test_a_ledger_of_another_name_and_what_env_does(
    project: Path, scratch: dict[str, str], empty_database: str
) -> None:
    """It is no part of the files; env.py's own statements are brought, or told."""
    up = 'op.create_table("t", sa.Column("id", sa.Integer))'
    revised(project, [("a", up, 'op.drop_table("t")')], OWN_TABLE.rstrip() + AFTER)
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert (document["table"], document["proof"]) == ("ops.done", "different"), document
    assert [one["code"] for one in document["warnings"]] == ["A116"]
    assert "comment on schema ops" in document["warnings"][0]["message"]
    assert document["differences"] == ["comment schema ops"]
    assert [one["key"] for one in document["files"]] == ["(env)", "a"]
    assert not any("done" in path.read_text() for path in (project / "ours").glob("*.sql"))
    alembic(project, empty_database, "upgrade", "head")
    words = ("alembic", "--ledger", "--table", document["table"], "--yes")
    code, found = run(project, *words, DATABASE_URL=empty_database)
    assert code == 0 and [one[15:] for one in found["ledger"]["applied"]] == ["env", "a"]


ASYNC = """
import asyncio, os
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

PARTS = ("user", "password", "host", "port", "name")
URL = "postgresql+asyncpg://{user}:{password}@{host}:{port}/{name}".format(
    **{one: os.environ["SHOP_" + one.upper()] for one in PARTS}
)

def work(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine(URL, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()

if context.is_offline_mode():
    context.configure(url=URL, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main())
"""


def test_an_async_engine_and_settings_in_parts(project: Path, scratch: dict[str, str]) -> None:
    """The scratch database comes in parts, too; without them it is told what is missing where."""
    up = (
        'op.create_table("t", sa.Column("id", sa.Integer), sa.Column("tags", sa.ARRAY(sa.Text)))\n'
        '    t = sa.table("t", sa.column("id", sa.Integer), sa.column("tags", sa.ARRAY(sa.Text)))\n'
        '    op.bulk_insert(t, [{"id": 1, "tags": []}, {"id": 2, "tags": ["a\'b", "%"]}])'
    )
    revised(project, [("a", up, 'op.drop_table("t")')], ASYNC)
    code, document = run(project, "alembic", ".", **scratch)
    (found,) = document["refused"]
    assert (code, found["code"], found["file"]) == (1, "A133", "db/env.py"), document
    assert "KeyError: 'SHOP_USER'" in found["message"] and found["line"] > 5
    parts = ("user", "password", "host", "port")
    given = [f"--set=SHOP_{one.upper()}={{{one}}}" for one in parts]
    words = ("alembic", ".", "--prove", *given, "--set=SHOP_NAME={database}")
    code, document = run(project, *words, **scratch)
    assert (code, document["proof"]) == (0, "equal"), document
    assert "a''b" in next((project / "ours").glob("*_a.sql")).read_text()


def test_alembic_in_pyproject(project: Path, scratch: dict[str, str]) -> None:
    """What Alembic reads there since 1.16 is enough."""
    (project / "alembic.ini").unlink()
    text = '[tool.todo-sql]\nmigrations = "ours"\n[tool.alembic]\nscript_location = "%(here)s/db"\n'
    lay(project, {"pyproject.toml": text})
    code, document = run(project)
    assert code == 0 and [one["folder"] for one in document["recognised"]] == [".", "db"]
    code, document = run(project, "alembic", ".", "--prove", **scratch)
    assert (code, document["proof"]) == (0, "equal"), document


SETTINGS = (
    "SECRET_KEY = 'x'\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n"
    "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'notes']\n"
    "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'never'}}\n"
)
FIRST = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("auth", "0001_initial")]
    operations = [
        migrations.CreateModel("Note", [
            ("id", models.BigAutoField(primary_key=True)),
            ("title", models.CharField(max_length=50, db_index=True)),
            ("owner", models.ForeignKey("auth.User", models.CASCADE)),
        ]),
    ]
"""
SECOND = """from django.db import migrations


def fill(apps, schema_editor):
    for user in apps.get_model("auth", "User").objects.all():
        apps.get_model("notes", "Note").objects.create(title="hi", owner=user)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notes", "0001_initial")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL("create index concurrently i on notes_note (title)", "drop index i"),
    ]
"""
DJANGO = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n',
    "settings.py": SETTINGS,
    "notes/__init__.py": "",
    "notes/migrations/__init__.py": "",
    "notes/migrations/0001_initial.py": FIRST,
    "notes/migrations/0002_fill.py": SECOND,
    "pyproject.toml": '[tool.todo-sql]\nmigrations = "ours"\n',
}


def test_django_comes_over(tmp_path: Path, scratch: dict[str, str], empty_database: str) -> None:
    """Every app's migrations, and the rows of its ledger."""
    lay(tmp_path, DJANGO)
    code, document = run(tmp_path, "django", ".", "--prove", **scratch)
    assert code == 0, document
    assert document["proof"] == "equal"
    made: dict[str, Any] = {one["key"]: one for one in document["files"]}
    assert {"notes.0001_initial", "notes.0002_fill", "auth.0001_initial"} <= made.keys()
    filled = (tmp_path / made["notes.0002_fill"]["to"]).read_text()
    assert "-- transactional: false" in filled and "It read rows" in filled
    django(tmp_path, empty_database)
    words = ("django", "--ledger", "--yes")
    code, document = run(tmp_path, *words, DATABASE_URL=empty_database)
    assert code == 0, document
    assert len(document["ledger"]["applied"]) == len(made) and not document["ledger"]["pending"]


SQUASHED = """from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("notes", "0001_initial"), ("notes", "0002_fill")]
    dependencies = [("auth", "0001_initial")]
    operations = [
        migrations.CreateModel("Note", [
            ("id", models.BigAutoField(primary_key=True)),
            ("title", models.CharField(max_length=50, db_index=True)),
            ("owner", models.ForeignKey("auth.User", models.CASCADE)),
        ]),
    ]
"""


@pytest.mark.parametrize(
    ("rows", "code", "pending"),
    [
        (("0001_initial", "0002_fill"), 0, False),
        (("0001_initial", "0002_fill", "0001_squashed"), 0, False),
        (("0001_squashed",), 0, False),
        (("0001_initial",), 1, None),
        ((), 0, True),
    ],
)
def test_a_squashed_migration_of_django(
    rows: tuple[str, ...],
    code: int,
    pending: bool | None,
    tmp_path: Path,
    scratch: dict[str, str],
    empty_database: str,
) -> None:
    """It counts as applied where all that it replaces is; where a part is, that is refused."""
    files = {name: text for name, text in DJANGO.items() if "/000" not in name}
    lay(tmp_path, {**files, "notes/migrations/0001_squashed.py": SQUASHED})
    assert run(tmp_path, "django", ".", **scratch)[0] == 0
    django(tmp_path, empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("delete from django_migrations where app = 'notes'")
        for name in rows:
            connection.execute(
                "insert into django_migrations (app, name, applied) values ('notes', %s, now())",
                [name],
            )
    found, document = run(tmp_path, "django", "--ledger", "--yes", DATABASE_URL=empty_database)
    assert found == code, document
    if pending is None:
        assert [one["code"] for one in document["findings"]] == ["A120"]
    else:
        assert len(document["ledger"]["pending"]) == int(pending)


def django(folder: Path, url: str) -> None:
    """Run Django's own `migrate` on a database."""
    code = (
        "import sys; from urllib.parse import urlsplit, unquote; import settings; "
        "u = urlsplit(sys.argv[1]); settings.DATABASES['default'] |= dict(NAME=u.path[1:], "
        "USER=unquote(u.username or ''), PASSWORD=unquote(u.password or ''), HOST=u.hostname, "
        "PORT=u.port); import django; django.setup(); from django.core.management import "
        "call_command; call_command('migrate', verbosity=0)"
    )
    subprocess.run(
        [sys.executable, "-c", code, url],
        cwd=folder,
        env=clean_environment(DJANGO_SETTINGS_MODULE="settings", PYTHONPATH="."),
        check=True,
        capture_output=True,
    )
