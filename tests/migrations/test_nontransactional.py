"""Files that run statement by statement: progress, resumption, INVALID indexes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.migrations import (
    Recorder,
    applied,
    fetch,
    invalid_indexes,
    migrator,
    write,
)
from support.traffic import once

from todo_sql.migrations import migrate
from todo_sql.migrations.connecting import MigrationLink, open_link
from todo_sql.migrations.engine.nontransactional import statement_hash
from todo_sql.migrations.ledger import Progress, RecordedStep
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.migration_errors import MigrationFailed, PlanError
from todo_sql.migrations.pending import State
from todo_sql.migrations.progress import Events
from todo_sql.migrations.repair import Change
from todo_sql.sql.grammar import parse

pytestmark = pytest.mark.database

TABLE = "20260101000000_table"
INDEX = "20260102000000_index"


def folder_with(tmp_path: Path, text: str, table: str = "") -> Path:
    """Write a table t with two equal rows, and a non-transactional file; return its path."""
    write(
        tmp_path,
        TABLE,
        "create table t (id int, kind text);\ninsert into t values (1, 'x'), (1, 'y');\n" + table,
        "drop table t;",
    )
    return write(tmp_path, INDEX, "-- transactional: false\n" + text)


def begin(url: str, folder: Path, done: list[str], begun: str | None) -> None:
    """Leave the ledger as a run would that died after `done`, in the middle of `begun`."""
    migrator(url, folder).migrate(to=TABLE)
    texts = [(sql, True) for sql in done] + ([(begun, False)] if begun else [])
    steps = [RecordedStep(statement_hash(parse(sql)[0]), sql, is_done) for sql, is_done in texts]
    with open_link(url, writes=True) as link:
        link.fly(Writer(link.target).progress(INDEX, Progress("apply", tuple(steps))))


def leave_invalid(url: str, statement: str) -> None:
    """Make an index INVALID as a build that died leaves it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(statement.encode())
    assert invalid_indexes(url)


def state(url: str, folder: Path) -> State:
    """Return the state of the non-transactional migration."""
    entries = migrator(url, folder).status().entries
    return next(entry.state for entry in entries if entry.id == INDEX)


def test_statements_are_done_once_across_runs(empty_database: str, tmp_path: Path) -> None:
    """What was done is skipped; what failed may be edited."""
    path = folder_with(
        tmp_path,
        "create index concurrently i on t (id);\n"
        "create unique index concurrently u on t (id);\n"
        "create index concurrently k on t (kind);\n",
    )
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    assert "1 of 3 statements are done" in str(caught.value)
    assert caught.value.finding.place and caught.value.finding.place.line == 3
    assert invalid_indexes(empty_database) == []
    assert state(empty_database, tmp_path) is State.FAILED
    path.write_text(path.read_text().replace("u on t (id)", "u on t (id, kind)"))
    assert migrate(empty_database, tmp_path) == [INDEX]
    indexes = fetch(
        empty_database,
        "select indexrelid::regclass::text from pg_index i "
        "where indrelid = 't'::regclass order by 1",
    )
    assert indexes == ["i", "k", "u"]


def test_a_done_statement_may_not_be_edited(empty_database: str, tmp_path: Path) -> None:
    """The file would say what never ran."""
    first = "create index concurrently i on t (id)"
    path = folder_with(tmp_path, f"{first};\nanalyze t;\n")
    begin(empty_database, tmp_path, [first], None)
    path.write_text(path.read_text().replace("i on t (id)", "i on t (kind)"))
    with pytest.raises(PlanError, match="done before it was edited"):
        migrate(empty_database, tmp_path)


def test_an_invalid_leftover_of_a_crash_is_dropped_and_built_again(
    empty_database: str, tmp_path: Path
) -> None:
    """The catalog says INVALID, the ledger says that it is ours."""
    build = "create unique index concurrently u on t (id)"
    folder_with(tmp_path, build + ";\n")
    begin(empty_database, tmp_path, [], build)
    leave_invalid(empty_database, build)
    fetch(empty_database, "delete from t where kind = 'y' returning 1")
    recorder = Recorder()
    assert [d.id for d in migrator(empty_database, tmp_path, recorder).migrate()] == [INDEX]
    assert any("INVALID" in note for note in recorder.notes)
    assert invalid_indexes(empty_database) == []


def test_a_leftover_is_dropped_even_if_the_statement_was_edited(
    empty_database: str, tmp_path: Path
) -> None:
    """The intent row keeps the statement's text."""
    build = "create unique index concurrently u on t (id)"
    folder_with(tmp_path, "create index concurrently other on t (id);\n")
    begin(empty_database, tmp_path, [], build)
    leave_invalid(empty_database, build)
    migrate(empty_database, tmp_path)
    assert invalid_indexes(empty_database) == []
    assert fetch(empty_database, "select to_regclass('u')::text") == [None]


def test_an_index_that_was_finished_is_not_built_again(empty_database: str, tmp_path: Path) -> None:
    """Compared by table and definition, however it was spelt."""
    build = "create index concurrently i on public.t using btree (lower(kind)) where (id > 1)"
    folder_with(tmp_path, build + ";\n")
    begin(empty_database, tmp_path, [], build)
    _run(empty_database, "create index i on t (LOWER(kind)) where id > 1")
    before = fetch(empty_database, "select 'i'::regclass::oid")
    assert migrate(empty_database, tmp_path) == [INDEX]
    assert fetch(empty_database, "select 'i'::regclass::oid") == before


def _run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_an_index_of_another_definition_stops_the_run(empty_database: str, tmp_path: Path) -> None:
    """IF NOT EXISTS does not pass over it."""
    folder_with(tmp_path, "create index concurrently if not exists i on t (id);\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    _run(empty_database, "create index i on t (kind)")
    with pytest.raises(MigrationFailed, match="another definition"):
        migrate(empty_database, tmp_path)
    _run(empty_database, "drop index i")
    assert migrate(empty_database, tmp_path) == [INDEX]


def test_an_invalid_index_that_is_not_ours_is_left_alone(
    empty_database: str, tmp_path: Path
) -> None:
    """No intent row names it: somebody may be at work on it."""
    build = "create unique index concurrently u on t (id)"
    folder_with(tmp_path, build.replace("u on", "if not exists u on") + ";\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    leave_invalid(empty_database, build)
    with pytest.raises(MigrationFailed, match="INVALID"):
        migrate(empty_database, tmp_path)
    assert invalid_indexes(empty_database) == ["u"]


def test_an_index_on_only_the_parent_is_left_alone(empty_database: str, tmp_path: Path) -> None:
    """It is INVALID by design."""
    folder_with(
        tmp_path,
        "vacuum t;\n",
        "create table p (id int) partition by range (id);\n"
        "create table p1 partition of p for values from (0) to (9);\n"
        "create index on only p (id);\n",
    )
    migrate(empty_database, tmp_path)
    assert invalid_indexes(empty_database) == ["p_id_idx"]


def test_drop_and_reindex_are_taken_up_again(empty_database: str, tmp_path: Path) -> None:
    """A dropped index stays dropped; what REINDEX left is dropped."""
    folder_with(
        tmp_path,
        "drop index concurrently gone;\nreindex table concurrently t;\n",
        "create index gone on t (id);\ncreate index kept on t (id);\n",
    )
    begin(empty_database, tmp_path, [], "drop index concurrently gone")
    _run(empty_database, "drop index gone")
    migrate(empty_database, tmp_path)
    assert applied(empty_database) == [TABLE, INDEX]


def test_what_reindex_left_is_dropped(empty_database: str, tmp_path: Path) -> None:
    """An index named …_ccnew that is INVALID, on the table that the intent names."""
    reindex = "reindex table concurrently t"
    folder_with(tmp_path, reindex + ";\n", "create index kept on t (id);\n")
    begin(empty_database, tmp_path, [], reindex)
    leave_invalid(empty_database, "create unique index concurrently kept_ccnew on t (id)")
    recorder = Recorder()
    migrator(empty_database, tmp_path, recorder).migrate()
    assert any("kept_ccnew" in note for note in recorder.notes)
    assert invalid_indexes(empty_database) == []


def test_a_pending_detach_is_finalized(empty_database: str, tmp_path: Path) -> None:
    """Interrupted between its two transactions, it is ended by the next run."""
    detach = "alter table p detach partition p1 concurrently"
    folder_with(
        tmp_path,
        detach + ";\n",
        "create table p (id int) partition by range (id);\n"
        "create table p1 partition of p for values from (0) to (9);\n",
    )
    begin(empty_database, tmp_path, [], detach)
    with (
        psycopg.connect(empty_database) as reader,
        psycopg.connect(empty_database, autocommit=True) as other,
    ):
        reader.execute("select * from p")
        other.execute("set statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute(detach.encode())
    assert fetch(empty_database, "select inhdetachpending from pg_inherits") == [True]
    assert migrate(empty_database, tmp_path) == [INDEX]
    assert fetch(empty_database, "select count(*) from pg_inherits") == [0]


def test_an_unknown_fate_stops_the_run_and_is_settled_by_repair(
    empty_database: str, tmp_path: Path
) -> None:
    """`repair ID --done` or `--redo`."""
    update = "update t set kind = kind || '!'"
    folder_with(tmp_path, f"-- allow: unknown-fate a test\n{update};\nvacuum t;\n")
    shown: list[Change] = []
    for fate, kind in (("done", "x"), ("redo", "x!")):
        _run(
            empty_database,
            "drop table if exists t, _yoyo_migration, _yoyo_log, _yoyo_version, _todo_sql_ledger",
        )
        begin(empty_database, tmp_path, [], update)
        with pytest.raises(PlanError, match="it is unknown") as caught:
            migrate(empty_database, tmp_path)
        assert f"repair {INDEX} --done" in str(caught.value)
        run = migrator(empty_database, tmp_path)
        run.repair(INDEX, fate=fate, confirm=shown.extend)  # type: ignore[arg-type]
        assert migrate(empty_database, tmp_path) == [INDEX]
        assert fetch(empty_database, "select kind from t order by 1 limit 1") == [kind]
    assert "is done" in shown[0].words and "runs again" in shown[1].words


def test_settings_of_the_file_are_replayed(empty_database: str, tmp_path: Path) -> None:
    """SET is never skipped, and reaches only the file's own statements."""
    path = folder_with(
        tmp_path,
        "set search_path = s;\n"
        "create index concurrently i on t (id);\n"
        "create unique index concurrently u on t (id);\n",
        "create schema s; create table s.t (id int, kind text);\n"
        "insert into s.t values (1, 'x'), (1, 'y');\n",
    )
    with pytest.raises(MigrationFailed):
        migrate(empty_database, tmp_path)
    path.write_text(path.read_text().replace("unique ", ""))
    migrate(empty_database, tmp_path)
    assert fetch(empty_database, "select count(*) from pg_indexes where schemaname = 's'") == [2]


def test_rollback_runs_stepwise_too(empty_database: str, tmp_path: Path) -> None:
    """A rollback file has directives and progress of its own."""
    folder_with(tmp_path, "create index concurrently i on t (id);\n")
    (tmp_path / f"{INDEX}.rollback.sql").write_text(
        "-- transactional: false\ndrop index concurrently if exists i;\n"
        "drop index concurrently if exists pg_class;\n"
    )
    migrate(empty_database, tmp_path)
    with pytest.raises(MigrationFailed):
        migrator(empty_database, tmp_path).rollback()
    assert state(empty_database, tmp_path) is State.FAILED
    with pytest.raises(PlanError, match="rollback"):
        migrate(empty_database, tmp_path)
    (tmp_path / f"{INDEX}.rollback.sql").write_text(
        "-- transactional: false\ndrop index concurrently if exists i;\n"
    )
    assert [d.id for d in migrator(empty_database, tmp_path).rollback()] == [INDEX]
    assert state(empty_database, tmp_path) is State.PENDING


def test_a_failed_migration_may_be_rolled_back(empty_database: str, tmp_path: Path) -> None:
    """To give it up: its rollback file runs as a whole."""
    folder_with(
        tmp_path,
        "create index concurrently i on t (id);\ncreate unique index concurrently u on t (id);\n",
    )
    (tmp_path / f"{INDEX}.rollback.sql").write_text(
        "-- transactional: false\ndrop index concurrently if exists u;\n"
        "drop index concurrently if exists i;\n"
    )
    with pytest.raises(MigrationFailed):
        migrate(empty_database, tmp_path)
    assert [d.id for d in migrator(empty_database, tmp_path).rollback()] == [INDEX]
    assert state(empty_database, tmp_path) is State.PENDING
    assert fetch(empty_database, "select to_regclass('i')::text") == [None]


def test_a_rollback_drops_what_a_crash_left_invalid(empty_database: str, tmp_path: Path) -> None:
    """Even if the rollback file does not name it."""
    build = "create unique index concurrently u on t (id)"
    folder_with(tmp_path, build + ";\n")
    (tmp_path / f"{INDEX}.rollback.sql").write_text("-- transactional: false\nvacuum t;\n")
    begin(empty_database, tmp_path, [], build)
    leave_invalid(empty_database, build)
    assert [d.id for d in migrator(empty_database, tmp_path).rollback()] == [INDEX]
    assert invalid_indexes(empty_database) == []
    assert state(empty_database, tmp_path) is State.PENDING


@contextmanager
def idle_transaction(url: str) -> Iterator[psycopg.Connection[object]]:
    """Hold a snapshot that a concurrent build has to wait for."""
    with psycopg.connect(url, application_name="sleeper") as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select * from t")
        yield connection


def test_a_build_waits_for_an_idle_transaction_and_says_for_whom(
    empty_database: str, tmp_path: Path
) -> None:
    """No timeout ends its harmless wait, nothing is left INVALID."""
    folder_with(
        tmp_path,
        "-- lock-timeout: 200ms\n-- statement-timeout: 500ms\n"
        "create index concurrently i on t (id);\n",
    )
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    recorder = Recorder()
    seen: list[float] = []

    def waits_for_long() -> bool:
        if any("sleeper" in by for by in recorder.blockers):
            seen.append(time.monotonic())
        return bool(seen) and seen[-1] - seen[0] > 1  # longer than both timeouts

    with idle_transaction(empty_database) as sleeper, once(waits_for_long, sleeper.rollback):
        migrator(empty_database, tmp_path, recorder).migrate()
    assert seen
    assert invalid_indexes(empty_database) == []


def test_a_build_that_is_cancelled_leaves_nothing_invalid(
    empty_database: str, tmp_path: Path
) -> None:
    """Somebody else's pg_cancel_backend is an error; the leftover is dropped at once."""
    folder_with(tmp_path, "create index concurrently i on t (id);\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    with idle_transaction(empty_database) as sleeper:

        def cancel() -> None:
            fetch(
                empty_database,
                "select pg_cancel_backend(pid) from pg_stat_activity "
                "where query like 'create index concurrently i %'",
            )
            sleeper.rollback()

        recorder = Recorder()
        with (
            once(lambda: bool(recorder.blockers), cancel),
            pytest.raises(MigrationFailed) as caught,
        ):
            migrator(empty_database, tmp_path, recorder).migrate()
    assert caught.value.sqlstate == "57014"
    assert invalid_indexes(empty_database) == []
    assert migrate(empty_database, tmp_path) == [INDEX]


def test_the_ledger_is_written_only_under_the_lock(empty_database: str, tmp_path: Path) -> None:
    """A session that lost its lock stops before the next statement."""

    class LosesTheLock(Events):
        def started(self, *_: object) -> None:
            fetch(empty_database, "select 1")
            links[0].connection.execute("select pg_advisory_unlock_all()")

    links: list[MigrationLink] = []
    original = MigrationLink.take_lock

    def take_lock(self: MigrationLink, wait: float | None, events: Events) -> None:
        links.append(self)
        original(self, wait, events)

    folder_with(tmp_path, "create index concurrently i on t (id);\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    from todo_sql.migrations.migration_errors import LockNotHeld

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MigrationLink, "take_lock", take_lock)
        with pytest.raises(LockNotHeld):
            migrator(empty_database, tmp_path, LosesTheLock()).migrate()
    assert fetch(empty_database, "select to_regclass('i')::text") == [None]
