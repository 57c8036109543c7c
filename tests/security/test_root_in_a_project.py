"""Root in another user's project, and links in one's own: nothing outside is touched.

The attacker owns the project and works beside root; what root must not write, hand over,
open up or delete lies in a folder of root's, the victim.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.accounts import as_root_only, ordinary_user, python_of_ordinary_user
from support.commands import todo_sql
from support.database import Server

from todo_sql import writing
from todo_sql.config import load_config
from todo_sql.embedded import places
from todo_sql.embedded.programs import binaries
from todo_sql.embedded.server import EmbeddedServer, server_for
from todo_sql.errors import ConfigError, DatabaseError, TodoSqlError

ACTIONS: dict[str, Callable[[EmbeddedServer], object]] = {
    "start": EmbeddedServer.ensure_running,
    "adopt": lambda server: server.start(adopt=True),
    "stop": EmbeddedServer.stop,
    "reset": EmbeddedServer.reset,
    "destroy": EmbeddedServer.destroy,
    "status": EmbeddedServer.status,
}

# Exchanges a folder of the attacker's for a link to the victim, as fast as it can.
EXCHANGE = """
import itertools, os, sys
place, aside, victim = sys.argv[1:]
spare = (f"{aside}.{number}" for number in itertools.count())
os.path.isdir(place) or os.mkdir(place)
print("ready", flush=True)
while True:
    try:
        os.rename(place, aside); os.symlink(victim, place); os.unlink(place)
        os.rename(aside, place)
        for name in os.listdir(place):
            path = os.path.join(place, name)
            if not os.path.islink(path) and not os.path.isdir(path):
                os.unlink(path); os.symlink(os.path.join(victim, "secret"), path)
    except OSError:
        os.path.islink(place) and os.unlink(place)
        os.path.isdir(place) or (os.path.isdir(aside) and os.rename(aside, place))
        os.path.isdir(place) or os.path.isdir(aside) or os.mkdir(place)
        os.path.isdir(place) and os.path.isdir(aside) and os.rename(aside, next(spare))
"""


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that every account can pass through."""
    path = Path(tempfile.mkdtemp(prefix="todo-sql-test-")).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def victim(ground: Path) -> Path:
    """What must stay as it is: a folder with a secret, and things with names of ours."""
    folder = ground / "victim"
    for path in (folder, folder / "data", folder / "postgres-18", folder / "postgres-18" / "data"):
        path.mkdir(mode=0o700)
        (path / "secret").write_text("kept")
        (path / "secret").chmod(0o600)
    return folder


def state_of(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return owner, group, mode and content of all that a folder holds."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        facts = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
        found[str(path)] = (facts.st_uid, facts.st_gid, facts.st_mode, content)
    return found


@contextmanager
def attacker(place: Path, victim: Path) -> Iterator[None]:
    """Exchange a folder for a link to the victim, as another user, while the block runs."""
    ids = ordinary_user()
    assert ids is not None
    words = [
        python_of_ordinary_user(),
        "-c",
        EXCHANGE,
        *map(str, (place, f"{place}.aside", victim)),
    ]
    process = subprocess.Popen(
        words, user=ids[0], group=ids[1], extra_groups=[], cwd="/", stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("link", ["state", "folder"])
def test_the_folder_of_the_server_is_no_link(
    ground: Path, victim: Path, action: str, link: str
) -> None:
    """A link in the place of `.todo-sql`, or of the folder in it, is refused by everybody."""
    state = ground / ".todo-sql"
    if link == "state":
        state.symlink_to(victim)
    else:
        state.mkdir()
        (state / "postgres-18").symlink_to(victim)
    before = state_of(victim)
    with pytest.raises(DatabaseError, match=r"E110.*through a link"):
        ACTIONS[action](EmbeddedServer(state / "postgres-18", binaries(18)))
    assert state_of(victim) == before


@as_root_only
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("whose", ["project", "state", "folder"])
def test_root_keeps_out_of_another_users_folders(ground: Path, action: str, whose: str) -> None:
    """Whatever part of the way is another user's, root touches nothing there."""
    ids = ordinary_user()
    assert ids is not None
    parts = {"project": ground / "project"}
    parts["state"] = parts["project"] / ".todo-sql"
    parts["folder"] = parts["state"] / "postgres-18"
    parts["folder"].mkdir(parents=True)
    os.chown(parts[whose], *ids)
    before = state_of(parts["project"])
    with pytest.raises(DatabaseError, match="E105"):
        ACTIONS[action](EmbeddedServer(parts["folder"], binaries(18)))
    assert state_of(parts["project"]) == before


# What lies in the way: a link's target or None, whose it is, its mode; and whether that is safe.
WAYS: list[tuple[str | None, str, int, bool]] = [
    (None, "root", 0o755, True),
    (None, "root", 0o777, False),
    (None, "root", 0o1777, True),
    (None, "another", 0o755, False),
    ("roots", "root", 0, True),
    ("{ground}/roots", "root", 0, True),
    ("absent", "root", 0, True),
    ("roots", "another", 0, False),
    ("theirs", "root", 0, False),
    ("{ground}/theirs/link", "root", 0, False),
    ("theirs/../roots", "root", 0, False),
    ("way", "root", 0, False),
]


@as_root_only
@pytest.mark.parametrize(("target", "owner", "mode", "alone"), WAYS)
def test_what_is_roots_alone_is_read_from_the_way_as_it_is_written(
    ground: Path, target: str | None, owner: str, mode: int, *, alone: bool
) -> None:
    """Where a link of another user leads to now says nothing: it may lead elsewhere next."""
    ids = ordinary_user()
    assert ids is not None
    (ground / "roots").mkdir()
    (ground / "theirs").mkdir()
    (ground / "theirs" / "link").symlink_to(ground / "roots")
    os.chown(ground / "theirs", *ids)
    way = ground / "way"
    if target is None:
        way.mkdir()
        way.chmod(mode)
    else:
        way.symlink_to(target.format(ground=ground))
    if owner == "another":
        os.chown(way, *ids, follow_symlinks=False)
    assert places.is_roots_alone(way / "state") is alone


@as_root_only
def test_root_has_a_server_of_its_own_there(ground: Path) -> None:
    """In another user's project root's server lives outside; the project stays as it was."""
    ids = ordinary_user()
    assert ids is not None
    project = ground / "project"
    (project / ".todo-sql").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.todo-sql]\n")
    for path in (project, *project.iterdir()):
        os.chown(path, *ids)
    before = state_of(project)
    embedded = server_for(load_config(project, environment={}))
    try:
        assert embedded.ensure_running() == embedded.url()
        assert embedded.folder.parent.parent == places.OUTSIDE
        assert embedded.status().running
        embedded.stop()
        embedded.ensure_running()
        assert state_of(project) == before
    finally:
        embedded.destroy()
    assert not embedded.folder.parent.exists()


@as_root_only
@pytest.mark.parametrize("depth", ["state", "folder"])
def test_root_loses_no_race_for_its_folders(ground: Path, victim: Path, depth: str) -> None:
    """An attacker who exchanges folders for links gets nothing written, owned or deleted."""
    ids = ordinary_user()
    assert ids is not None
    project = ground / "project"
    project.mkdir()
    os.chown(project, *ids)
    state = project / ".todo-sql"
    place = state if depth == "state" else state / "postgres-18"
    if depth == "folder":
        state.mkdir()
        os.chown(state, *ids)
    before = state_of(victim)
    embedded = EmbeddedServer(state / "postgres-18", binaries(18))
    with attacker(place, victim):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            for action in ACTIONS.values():
                with suppress(TodoSqlError):
                    action(embedded)
    assert state_of(victim) == before


@as_root_only
@pytest.mark.parametrize("depth", ["specs", "specs/database"])
def test_root_loses_no_race_for_what_it_writes(ground: Path, victim: Path, depth: str) -> None:
    """Generated files go into the project's own folder or nowhere."""
    ids = ordinary_user()
    assert ids is not None
    project = ground / "project"
    (project / "specs").mkdir(parents=True)
    for path in (project, project / "specs"):
        os.chown(path, *ids)
    if depth == "specs":
        (project / "specs").rmdir()
    (victim / "database").mkdir()
    before, written, refused = state_of(victim), 0, 0
    with attacker(project / depth, victim):
        end = time.monotonic() + 1.5
        while (now := time.monotonic()) < end or (not (written and refused) and now < end + 30):
            try:
                with writing.folder(project / "specs" / "database", project) as folder:
                    folder.write("schema.md", "attack")
                    folder.delete("schema.md")
                written += 1
            except (ConfigError, OSError):
                refused += 1
    assert state_of(victim) == before
    assert written
    assert refused


@pytest.mark.parametrize("name", ["f.md", "deep/er/f.md"])
def test_files_are_written_whole_and_keep_mode_and_owner(ground: Path, name: str) -> None:
    """An older file's mode stays, and root leaves a user's file to the user."""
    path = ground / name
    writing.write(path, "one", ground)
    path.chmod(0o640)
    ids = ordinary_user()
    if ids:
        os.chown(path, *ids)
    writing.write(path, b"two", ground)
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_uid == (ids[0] if ids else os.geteuid())
    assert [entry.name for entry in path.parent.iterdir()] == ["f.md"]


def _link(path: Path, victim: Path) -> None:
    path.symlink_to(victim / "secret")


def _hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim / "secret")


def _pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("plant", [_link, _hard_link, _pipe], ids=["link", "hard link", "pipe"])
def test_what_is_planted_under_a_files_name_is_not_written_through(
    ground: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    """A link is refused, and a hard link is replaced rather than written through."""
    path = ground / "specs" / "schema.md"
    path.parent.mkdir()
    before = state_of(victim)
    plant(path, victim)
    if plant is _hard_link:
        writing.write(path, "attack", ground)
    else:
        with pytest.raises(ConfigError, match="U205"):
            writing.write(path, "attack", ground)
    assert state_of(victim) == before


STYLE = """[sqlfluff]
dialect = postgres
templater = placeholder
[sqlfluff:templater:placeholder]
param_style = colon
[sqlfluff:rules:capitalisation.keywords]
capitalisation_policy = lower
"""

# What a verb writes: the verb, the key of the configuration, and its default.
WRITERS = {
    "generate": (["generate"], "generate", "made"),
    "docs": (["docs"], "specs", "specs/database"),
    "new": (["new", "add_notes"], "migrations", "migrations"),
    "lint --fix": (["lint", "--fix"], "queries", "queries"),
}


@pytest.mark.parametrize("way", ["link", "path", "absolute"])
@pytest.mark.parametrize("verb", WRITERS)
def test_no_verb_writes_outside_its_project(
    ground: Path, victim: Path, verb: str, way: str, server: Server
) -> None:
    """Neither a link in the checkout nor a path in its configuration leads a verb outside."""
    words, key, default = WRITERS[verb]
    project = ground / "project"
    folders = {"migrations": "migrations", "queries": "queries", "generate": "made"}
    where = {"link": default, "path": "../victim", "absolute": str(victim)}[way]
    folders[key] = where
    project.mkdir()
    for name in ("migrations", "queries"):
        if name != key:
            (project / name).mkdir()
    if way == "link":
        (project / default).parent.mkdir(parents=True, exist_ok=True)
        (project / default).symlink_to(victim)
    (project / "pyproject.toml").write_text(
        "[tool.todo-sql]\n" + "".join(f'{k} = "{v}"\n' for k, v in folders.items())
    )
    for folder in (project, ground):
        (folder / ".sqlfluff").write_text(STYLE)
    (project / folders["queries"] / "q.sql").write_text(
        "-- name: one :one\n-- One.\nSELECT 1   AS   a\n"
    )
    before = state_of(victim)
    answer = todo_sql(*words, cwd=project, TODO_SQL_SCRATCH_URL=server.url())
    assert state_of(victim) == before
    # What is read first is refused as it is read, where a link leads there.
    code = "S103" if (verb, way) == ("lint --fix", "link") else "U205"
    assert code in answer.stderr, answer.stdout + answer.stderr
    assert answer.returncode == 2
