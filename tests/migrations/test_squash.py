"""Squashing: one pair in place of a history, and the databases that had the history."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support.commands import todo_sql
from support.database import Server
from support.migrations import Recorder, applied, fetch, tables, write

from todo_sql.migrations.files.beside import load_whole
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import InvalidFiles, LedgerMismatch, PlanError
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.pending import find

pytestmark = pytest.mark.database

KINDS, ITEMS, NOTES, TAGS = (
    "20260101000000_kinds",
    "20260102000000_items",
    "20260103000000_notes",
    "20260104000000_tags",
)
PAIR = "20260103000000_squashed"
ASIDE = f"migrations/squashed/{PAIR}"


def history(folder: Path) -> None:
    """Write four migrations: a role, reference rows, a trigger, row security, a later one."""
    write(
        folder,
        KINDS,
        """
        do $$ begin create role squash_reader nologin;
        exception when duplicate_object or unique_violation then null; end $$;
        create table kinds (
            id int generated always as identity primary key,
            name text not null unique, "made At" timestamptz not null default clock_timestamp(),
            upper_name text generated always as (upper(name)) stored
        );
        insert into kinds (name) values ('it''s'), ('b'), (E'back\\\\slash\\nline');
        delete from kinds where name = 'b';
        alter table kinds enable row level security;
        create policy everyone on kinds using (true);
        grant select on kinds to squash_reader;
        """,
        """
        drop table kinds;
        do $$ begin drop role squash_reader;
        exception when others then null; end $$;
        """,
    )
    write(
        folder,
        ITEMS,
        """
        -- irreversible: nobody needs it
        create table items (
            id bigserial primary key, kind int not null references kinds, old text, at date
        );
        create function shout() returns trigger language plpgsql as
        $f$ begin new.old := 'shouted'; return new; end $f$;
        insert into items (kind, old, at) select id, 'quiet', '2026-02-03' from kinds;
        create trigger shout before insert or update on items
            for each row execute function shout();
        alter table items enable always trigger shout;
        create materialized view names as select name from kinds;
        alter table kinds force row level security;
        """,
        None,
    )
    write(
        folder,
        NOTES,
        "-- transactional: false\ncreate index concurrently if not exists items_at on items (at);",
        "-- transactional: false\ndrop index concurrently if exists items_at;",
    )
    write(
        folder,
        TAGS,
        f"-- depends: {NOTES}\n-- depends: {KINDS}\ncreate table tags (kind int references kinds);",
        "drop table tags;",
    )


def project_in(folder: Path) -> Path:
    """Make a project with a history."""
    (folder / "pyproject.toml").write_text("[tool.todo-sql]\nmigrations = 'migrations'\n")
    history(folder / "migrations")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a history."""
    return project_in(tmp_path)


@pytest.fixture(scope="module")
def squashed(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """The folder of migrations of such a project after a squash, and what that said."""
    project = project_in(tmp_path_factory.mktemp("squashed"))
    url = server.url("postgres")
    words = ["squash", "--to", NOTES, "--yes"]
    done = todo_sql(*words, cwd=project, TODO_SQL_SCRATCH_URL=url)
    assert done.returncode == 0, done.stderr
    (project / "told").write_text(done.stderr)
    return project / "migrations"


@pytest.fixture
def swap(project: Path, squashed: Path) -> Callable[[], str]:
    """Puts the squashed migrations in place of the history, and returns what was said."""

    def swapped() -> str:
        others = project / "migrations" / "repeatable"
        beside = {path.name: path.read_text() for path in others.glob("*.sql")}
        shutil.rmtree(project / "migrations")
        shutil.copytree(squashed, project / "migrations")
        for name, text in beside.items():
            others.mkdir(exist_ok=True)
            (others / name).write_text(text)
        return (squashed.parent / "told").read_text()

    return swapped


Run = Callable[..., str]


@pytest.fixture
def run(project: Path, empty_database: str, server: Server) -> Run:
    """Runs a command on the empty database, and returns what it printed."""
    environment = {
        "DATABASE_URL": empty_database,
        "TODO_SQL_SCRATCH_URL": server.url("postgres"),
    }

    def command(*words: str, code: int = 0) -> str:
        done = todo_sql(*words, cwd=project, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


def of(url: str, project: Path, events: Recorder | None = None) -> Migrator:
    """Return the migrator of a project."""
    return Migrator(url, load_whole(project / "migrations", project), events=events)


def rows(url: str) -> list[object]:
    """Return what the history left in the tables, without what a clock made."""
    return [
        fetch(url, "select (id, name, upper_name)::text from kinds order by id"),
        fetch(url, "select items::text from items order by id"),
        fetch(url, "select name from names order by 1"),
        fetch(url, "select tgenabled::text from pg_trigger where not tgisinternal"),
        fetch(url, "select last_value from kinds_id_seq"),
        fetch(url, "select last_value from items_id_seq"),
    ]


def test_a_database_with_all_of_it_is_carried_over(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """The next run records the pair in the place of what it replaces, and only that."""
    of(empty_database, project).migrate()
    before = rows(empty_database)
    log = fetch(empty_database, "select migration_id from _yoyo_log")
    told = swap()
    assert "keeps 2 rows of public.kinds" in told
    assert "leaves to their defaults: made At of public.kinds" in told
    assert sorted(p.name for p in (project / "migrations").glob("*.sql")) == sorted(
        f"{id}{end}" for id in (PAIR, TAGS) for end in (".sql", ".rollback.sql")
    )
    assert len(list((project / ASIDE).glob("*.sql"))) == 5
    status = json.loads(run("status", "--json"))
    first = status["migrations"][0]
    assert [one["state"] for one in status["migrations"]] == ["applied", "applied"]
    assert (first["id"], first["recorded_as"]) == (PAIR, [KINDS, ITEMS, NOTES])
    assert applied(empty_database) == [KINDS, ITEMS, NOTES, TAGS]
    assert f"the next `migrate` records {PAIR}" in run("migrate", "--dry-run")
    run("migrate", "--check")
    assert applied(empty_database) == [KINDS, ITEMS, NOTES, TAGS]
    assert "no drift" in run("drift")
    assert f"recorded {PAIR}" in run("migrate")
    assert applied(empty_database) == [PAIR, TAGS]
    assert f"recorded {PAIR}" not in run("migrate")
    assert rows(empty_database) == before
    kept = fetch(empty_database, "select migration_id from _yoyo_log")
    assert set(log) < set(kept) and PAIR in kept
    own = "select migration_id from _todo_sql_ledger order by position"
    assert sorted(fetch(empty_database, own)) == [PAIR, TAGS]
    assert "no drift" in run("drift")
    assert json.loads(run("status", "--json"))["migrations"][0]["recorded_as"] == []


def test_a_fresh_database_runs_the_pair(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """It has the same rows, sequences and triggers, and its rollback leaves nothing."""
    of(empty_database, project).migrate()
    before = rows(empty_database)
    run("rollback", "--to", ITEMS, "--yes")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("drop materialized view names")
        connection.execute("drop table items, kinds; drop function shout()")
        connection.execute("drop table _yoyo_migration, _yoyo_log, _yoyo_version, _todo_sql_ledger")
    swap()
    assert [done.id for done in of(empty_database, project).migrate()] == [PAIR, TAGS]
    assert rows(empty_database) == before
    assert "2 reversible" in run("verify")
    of(empty_database, project).rollback(steps=2)
    gone = "select count(*) from pg_class where relname in ('kinds', 'items', 'names', 'tags')"
    assert fetch(empty_database, gone) == [0]
    assert applied(empty_database) == []


def test_a_database_with_a_part_of_it_is_refused(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """Nothing changes; the command that is named leads on."""
    of(empty_database, project).migrate(to=ITEMS)
    swap()
    for words in (["migrate"], ["plan"], ["migrate", "--dry-run"], ["repair"]):
        told = run(*words, code=1)
        assert "M204" in told and f"{NOTES} not applied" in told
        assert f"`todo-sql migrate --migrations {ASIDE}`" in told
        assert "M202" not in told
    assert applied(empty_database) == [KINDS, ITEMS]
    assert "of which 2 are recorded" in run("status", code=1)
    run("migrate", "--migrations", ASIDE)
    assert f"recorded {PAIR}" in run("migrate")
    assert applied(empty_database) == [PAIR, TAGS]


def test_another_text_is_refused_until_it_is_repaired(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """A checksum that is not the one of the replaced file needs a word."""
    of(empty_database, project).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "update _todo_sql_ledger set checksum = 'other' where migration_id = %s", [KINDS]
        )
    swap()
    told = run("migrate", code=1)
    assert "M205" in told and KINDS in told
    assert applied(empty_database) == [KINDS, ITEMS, NOTES, TAGS]
    assert "ran with another text" in run("repair", "--dry-run")
    run("repair", "--yes")
    assert applied(empty_database) == [PAIR, TAGS]
    of(empty_database, project).migrate()


@pytest.mark.parametrize("chosen", [PAIR, PAIR[:14]])
def test_a_baseline_takes_the_place_of_a_part(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str, chosen: str
) -> None:
    """The schema is compared with the whole pair; then its row is the only one."""
    of(empty_database, project).migrate(to=NOTES)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("delete from _yoyo_migration where migration_id = %s", [ITEMS])
    swap()
    assert "M204" in run("migrate", code=1)
    assert f"recorded {PAIR}" in run("baseline", chosen)
    assert applied(empty_database) == [PAIR]
    of(empty_database, project).migrate()
    assert applied(empty_database) == [PAIR, TAGS]


def test_rows_of_plain_yoyo_stay_unverified(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """What nobody knows the checksum of is carried over, and said to be unverified."""
    of(empty_database, project).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("delete from _todo_sql_ledger where migration_id = %s", [KINDS])
    swap()
    of(empty_database, project).migrate()
    entry = of(empty_database, project).status().entries[0]
    assert (entry.id, entry.state.value) == (PAIR, "applied")
    assert entry.recorded and entry.recorded.checksum is None


def test_a_rollback_carries_over_first(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """The pair is undone as a whole, after what came later."""
    of(empty_database, project).migrate()
    swap()
    assert [one.id for one in of(empty_database, project).rollback(to=PAIR)] == [TAGS]
    assert applied(empty_database) == [PAIR]
    assert [one.id for one in of(empty_database, project).rollback(steps=1)] == [PAIR]
    assert applied(empty_database) == []


def test_a_pair_is_squashed_again(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """Databases that never saw the first pair are carried over by the second, and so are others."""
    of(empty_database, project).migrate()
    swap()
    run("squash", "--to", TAGS, "--yes")
    second = "20260104000000_squashed"
    assert "it takes the place of 4 migrations" in run("migrate")
    assert applied(empty_database) == [second]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("update _yoyo_migration set migration_id = %s", [PAIR])
        connection.execute("delete from _todo_sql_ledger")
    told = run("migrate", code=1)
    assert "M204" in told and f"{TAGS} not applied" in told
    run("migrate", "--migrations", f"migrations/squashed/{second}", code=3)  # its table is there


def test_runs_of_repeatable_files_follow(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """A rollback of the pair brings them back as one of the last replaced would have."""
    of(empty_database, project).migrate(to=NOTES)
    (project / "migrations" / "repeatable").mkdir()
    view = project / "migrations" / "repeatable" / "v.sql"
    view.write_text("create or replace view v as select 1 as one;")
    shutil.move(project / "migrations" / f"{TAGS}.sql", project / "aside.sql")
    shutil.move(project / "migrations" / f"{TAGS}.rollback.sql", project / "aside.rollback.sql")
    of(empty_database, project).migrate()
    assert fetch(empty_database, "select after_id from _todo_sql_repeatable") == [NOTES]
    swap()
    of(empty_database, project).migrate()
    assert fetch(empty_database, "select after_id from _todo_sql_repeatable") == [PAIR]


def test_a_dry_run_writes_nothing(run: Run, project: Path) -> None:
    """Both files are shown; without a yes nothing is moved either."""
    before = sorted(project.rglob("*.sql"))
    assert "not confirmed" in run("squash", "--to", NOTES, code=2)
    told = run("squash", "--to", NOTES, "--dry-run")
    assert "create table public.items" in told and "drop table public.items" in told
    found = json.loads(run("squash", "--to", NOTES, "--dry-run", "--json"))
    assert found["replaces"] == [KINDS, ITEMS, NOTES]
    assert found["rows"] == {"public.items": 2, "public.kinds": 2}
    assert found["left_to_defaults"] == {"public.kinds": ["made At"]}
    assert sorted(project.rglob("*.sql")) == before


REFUSED = {
    "a value from a clock without a default": (
        "create table t (at timestamptz); insert into t values (clock_timestamp());",
        "M251",
    ),
    "a value by chance that others stand on": (
        "create table t (id uuid primary key default gen_random_uuid());"
        "create table u (id uuid references t); with n as (insert into t default values "
        "returning id) insert into u select id from n;",
        "M251",
    ),
    "too many rows": (
        "create table t as select n from generate_series(1, 10001) as g (n);",
        "M251",
    ),
    "a block that makes a role and needs the schema": (
        "create table t (); do $$ begin create role squashed_away; "
        "grant select on t to squashed_away; drop owned by squashed_away; "
        "drop role squashed_away; end $$;",
        "M253",
    ),
    "a value from outside": (
        "create table t (word text);insert into t values (current_setting('app.word'));",
        "M251",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_file_can_hold_is_refused(
    project: Path, server: Server, empty_database: str, kind: str
) -> None:
    """The reason is told and nothing is written."""
    text, code = REFUSED[kind]
    (project / "pyproject.toml").write_text(
        "[tool.todo-sql]\nsettings = { 'app.word' = '${WORD}' }\n"
    )
    write(project / "migrations", "20260105000000_t", text, "drop table t cascade;")
    before = sorted(project.rglob("*.sql"))
    done = todo_sql(
        "squash",
        "--to",
        "20260105000000",
        "--yes",
        cwd=project,
        DATABASE_URL=empty_database,
        TODO_SQL_SCRATCH_URL=server.url("postgres"),
        WORD="xyzzy-secret",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert code in done.stderr and "M250" in done.stderr
    assert "xyzzy-secret" not in done.stdout + done.stderr
    assert sorted(project.rglob("*.sql")) == before


@pytest.mark.parametrize(("to", "code"), [(KINDS, "M250"), ("20990101000000", "M211")])
def test_there_must_be_a_history(run: Run, to: str, code: str) -> None:
    """One migration is none, and an unknown id is told."""
    assert code in run("squash", "--to", to, "--yes", code=2)


def test_what_a_new_database_has_may_be_changed(
    run: Run, project: Path, empty_database: str
) -> None:
    """A history that takes away what PostgreSQL grants or says of itself is squashed, too."""
    write(
        project / "migrations",
        "20260105000000_t",
        "revoke usage on schema public from public; comment on schema public is 'Ours.';"
        'create schema "Odd schema"; create table "Odd schema"."T" ("A b" int[], c jsonb);'
        'insert into "Odd schema"."T" values (\'{1,null}\', \'{"a": null}\'), (null, null);',
        'drop schema "Odd schema" cascade; grant usage on schema public to public;'
        "comment on schema public is 'standard public schema';",
    )
    run("squash", "--to", "20260105000000", "--yes")
    of(empty_database, project).migrate()
    found = fetch(empty_database, 'select t::text from "Odd schema"."T" as t order by 1')
    assert found == ['("{1,NULL}","{""a"": null}")', "(,)"]
    assert fetch(empty_database, "select obj_description('public'::regnamespace)") == ["Ours."]


def test_what_is_replaced_may_not_stand_beside_the_pair(
    swap: Callable[[], str], run: Run, project: Path
) -> None:
    """The loader says which file to take away; asked for by name, it names the pair."""
    swap()
    migrations = project / "migrations"
    with pytest.raises(PlanError, match=f"is part of {PAIR}"):
        find(load(migrations, project), ITEMS)
    shutil.copy(project / ASIDE / f"{ITEMS}.sql", migrations)
    with pytest.raises(InvalidFiles) as caught:
        load(migrations, project)
    assert [one.code for one in caught.value.findings] == ["M115"]


@pytest.mark.parametrize(
    "line", ["-- replaces: 20260101000000_kinds", "-- replaces:", "-- replaces: a b c"]
)
def test_a_wrong_line_is_told(tmp_path: Path, line: str) -> None:
    """A line that names no checksum is an error at its place."""
    write(tmp_path, TAGS, f"{line}\nselect 1;")
    with pytest.raises(InvalidFiles) as caught:
        load(tmp_path, tmp_path)
    assert [one.code for one in caught.value.findings] == ["M111"]


def test_many_migrators_carry_over_once(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """One of them does it, the others find it done."""
    from concurrent.futures import ThreadPoolExecutor

    of(empty_database, project).migrate()
    swap()
    seen = [Recorder() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        work = [partial(of(empty_database, project, one).migrate, wait=60) for one in seen]
        assert [done.result() for done in [pool.submit(one) for one in work]] == [[]] * 8
    assert sum(note.startswith("recorded ") for one in seen for note in one.notes) == 1
    assert applied(empty_database) == [PAIR, TAGS]


def test_the_release_before_is_refused(
    swap: Callable[[], str], run: Run, project: Path, empty_database: str
) -> None:
    """An older folder on a database that was carried over runs nothing again."""
    of(empty_database, project).migrate()
    shutil.copytree(project / "migrations", project / "older")
    swap()
    of(empty_database, project).migrate()
    older = Migrator(empty_database, load(project / "older", project))
    with pytest.raises(LedgerMismatch) as caught:
        older.migrate()
    assert "M202" in {one.code for one in caught.value.findings}
    assert applied(empty_database) == [PAIR, TAGS]


def test_files_that_others_name_move_along(run: Run, project: Path, empty_database: str) -> None:
    """A file beside is moved with the migration, and stays where a later one names it."""
    folder = project / "migrations"
    (folder / "parts").mkdir()
    (folder / "parts" / "a.sql").write_text("create table a (id int);\n")
    (folder / "parts" / "b.sql").write_text("create table if not exists b (id int);\n")
    text = "\\ir parts/a.sql\n\\ir parts/b.sql\n"
    write(folder, "20260103500000_parts", text, "drop table a, b;")
    write(folder, "20260105000000_again", "\\ir parts/b.sql\n", "select 1;")
    run("squash", "--to", "20260103500000", "--yes")
    assert [path.name for path in (folder / "parts").iterdir()] == ["b.sql"]
    aside = folder / "squashed" / "20260103500000_squashed"
    assert load(aside, project).by_id.keys() == {KINDS, ITEMS, NOTES, "20260103500000_parts"}
    assert len(of(empty_database, project).migrate()) == 3


def test_a_history_of_several_folders(run: Run, project: Path, empty_database: str) -> None:
    """The pair stands in the first, for what is added there later; old databases follow it."""
    shutil.rmtree(project / "migrations")
    file = project / "pyproject.toml"
    file.write_text("[tool.todo-sql]\nmigrations = ['one', 'two']\n")
    first, second = project / "one", project / "two"
    write(first, "20260105000000_a", "create table a (id int primary key);", "drop table a;")
    write(second, "20260101000000_b", "create table b (id int references a);", "drop table b;")
    write(second, "20260102000000_c", "create table c ();", "drop table c;")
    write(second, "20260103000000_d", "alter table c add d int;", "alter table c drop d;")
    run("migrate", "--to", "20260101000000")
    run("squash", "--to", "20260102000000", "--yes")
    pair = "20260102000000_squashed"
    assert (first / f"{pair}.sql").exists() and (second / "20260103000000_d.sql").exists()
    for folder, name in ((first, "20260105000000_a"), (second, "20260101000000_b")):
        assert (folder / "squashed" / pair / f"{name}.sql").exists()
    write(first, "20260106000000_e", "create table e (id int references a);", "drop table e;")
    assert "`todo-sql migrate` of the release before the squash" in run("migrate", code=1)
    with psycopg.connect(empty_database, autocommit=True) as connection:  # as that would do it
        connection.execute("create table c ()")
        connection.execute(
            "insert into _yoyo_migration select encode(sha256(id::bytea), 'hex'), id, "
            "now() at time zone 'utc' from (values ('20260102000000_c')) as m (id)"
        )
    assert f"recorded {pair}" in run("migrate")
    whole = ["20260102000000_squashed", "20260103000000_d", "20260106000000_e"]
    for _ in range(2):
        assert applied(empty_database) == whole
        assert tables(empty_database) == ["a", "b", "c", "e"]
        run("rollback", "--yes", "--steps", "3")
        assert tables(empty_database) == []
        run("migrate")  # as a new database
