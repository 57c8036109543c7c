"""A checkout's `.env` names databases: whoever wrote it learns nothing of the machine by it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from psycopg import pq
from support.commands import clean_environment, todo_sql
from support.database import Server
from support.eavesdropper import Eavesdropper, eavesdropping

from todo_sql import AsyncDatabase, Database
from todo_sql.cli.app import main
from todo_sql.config import load_config
from todo_sql.errors import ConfigError, DatabaseError
from todo_sql.wire.url import DatabaseUrl

SECRET = "sesame-4711"
URLS = ("DATABASE_URL", "TODO_SQL_DIRECT_URL", "TODO_SQL_REPLICA_URL")


@pytest.fixture
def ear() -> Iterator[Eavesdropper]:
    """A listener that `.env` names."""
    with eavesdropping() as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one migration and one query."""
    for folder in ("migrations", "queries", "home"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    text = "-- Why.\n-- irreversible: x\ncreate table t (id int);\n"
    (tmp_path / "migrations" / "20260101000000_a.sql").write_text(text)
    (tmp_path / "queries" / "q.sql").write_text("-- name: one :one\nselect 1 as a;\n")
    return tmp_path


Machine = Callable[[Path, str], dict[str, str]]


def _file(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def _pgpass(home: Path, host: str) -> dict[str, str]:
    _file(home / ".pgpass", f"*:*:*:*:{SECRET}\n")
    return {"HOME": str(home)}


def _passfile(home: Path, host: str) -> dict[str, str]:
    return {"PGPASSFILE": _file(home / "p", f"{host}:*:*:*:{SECRET}\n")}


def _service(home: Path, host: str) -> dict[str, str]:
    file = _file(home / "s", f"[mine]\npassword={SECRET}\nuser=u\n")
    return {"PGSERVICEFILE": file, "PGSERVICE": "mine"}


# Where a machine keeps a secret, and what `.env` has to add to a URL for libpq to find it.
MACHINES: dict[str, tuple[Machine, str]] = {
    "PGPASSWORD": (lambda home, host: {"PGPASSWORD": SECRET}, "u@{place}/d"),
    "PGPASSFILE": (_passfile, "u@{place}/d"),
    ".pgpass": (_pgpass, "u@{place}/d"),
    "PGSERVICE": (_service, "u@{place}/d"),
    "no user": (lambda home, host: {"PGPASSWORD": SECRET}, "{place}/d"),
    "empty password": (lambda home, host: {"PGPASSWORD": SECRET}, "u:@{place}/d?password="),
    "hosts": (lambda home, host: {"PGPASSWORD": SECRET}, "u@{place},{place}/d"),
    "encrypted": (lambda home, host: {"PGPASSWORD": SECRET}, "u@{place}/d?sslmode=prefer"),
}
# What takes the value of a variable into the URL, where `.env` is read as a shell would.
INTERPOLATED = {
    "password": "u:${MY_TOKEN}@{place}/d",
    "user": "${MY_TOKEN}@{place}/d",
    "database": "u@{place}/${MY_TOKEN}",
    "name": "u@{place}/d?application_name=${MY_TOKEN}",
    "default": "u@{place}/${NOT_SET:-${MY_TOKEN}}",
    "bare": "u@{place}/$MY_TOKEN",
}
VERBS = [
    ["status"],
    ["migrate"],
    ["plan"],
    ["drift"],
    ["doctor"],
    ["baseline", "20260101000000_a", "--force"],
    ["query", "one"],
    ["db", "shell", "--", "-w", "-c", "select 1"],
]


def heard_by(ear: Eavesdropper, project: Path, verb: list[str], **environment: str) -> bytes:
    """Run a verb and return what the listener was sent by then."""
    del ear.heard[:]
    environment = {"HOME": str(project / "home"), **environment}
    if verb[0] == "db":  # it becomes psql
        answer = todo_sql(*verb, cwd=project, **environment)
        code, said = answer.returncode, answer.stdout + answer.stderr
    else:
        with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as errors:
            for name in set(os.environ) - set(clean_environment()):
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            with redirect_stdout(errors):
                code, said = main(["--project", str(project), *verb]), errors.getvalue()
    assert code in (1, 2, 3), said
    assert SECRET not in said
    return bytes(ear.heard)


def place_of(ear: Eavesdropper) -> str:
    """Return host and port of a listener."""
    return f"127.0.0.1:{ear.port}"


@pytest.mark.parametrize("name", MACHINES)
def test_what_the_machine_knows_stays_there(
    name: str, project: Path, ear: Eavesdropper, tmp_path: Path
) -> None:
    """The same URL in the environment does send it: the attack is no straw man."""
    machine, text = MACHINES[name]
    url = "postgresql://" + text.format(place=place_of(ear))
    known = machine(project / "home", "127.0.0.1")
    (project / ".env").write_text(f"DATABASE_URL={url}\n")
    heard = heard_by(ear, project, ["status"], **known)
    assert b"user\0" in heard
    assert SECRET.encode() not in heard
    (project / ".env").unlink()
    if name == "empty password":
        return
    assert SECRET.encode() in heard_by(ear, project, ["status"], DATABASE_URL=url, **known)


@pytest.mark.parametrize("variable", URLS[:2])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_sends_it(
    verb: list[str], variable: str, project: Path, ear: Eavesdropper, server: Server
) -> None:
    """Whatever connects, and whichever variable of `.env` names the place."""
    if variable == "TODO_SQL_DIRECT_URL" and verb[0] in ("query", "db"):
        pytest.skip("it goes to DATABASE_URL")
    (project / ".env").write_text(f"{variable}=postgresql://u@{place_of(ear)}/d\n")
    known = {**_pgpass(project / "home", ""), "TODO_SQL_SCRATCH_URL": server.url()}
    if variable == "DATABASE_URL":  # with PGSERVICE there is another database
        known |= _service(project / "home", "")
    heard = heard_by(ear, project, verb, **known, PGPASSWORD=SECRET)
    assert b"user\0" in heard
    assert SECRET.encode() not in heard


@pytest.mark.parametrize("variable", ["DATABASE_URL", "TODO_SQL_REPLICA_URL"])
def test_no_session_sends_it(
    variable: str, project: Path, ear: Eavesdropper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of the project that names no database itself, in both kinds of session."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    dead = "DATABASE_URL=postgresql://u@127.0.0.1:1/d\n"
    (project / ".env").write_text(f"{dead}{variable}=postgresql://u@{place_of(ear)}/d\n")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PGPASSWORD", SECRET)

    async def asked() -> None:
        async with AsyncDatabase.connect(timeout=5) as database:
            await database.session().sql("select 1", int)

    with pytest.raises(DatabaseError), Database.connect(timeout=5) as there:
        there.session().sql("select 1", int)
    with pytest.raises(DatabaseError):
        asyncio.run(asked())
    if variable == "DATABASE_URL":
        assert b"user\0" in ear.heard
    assert SECRET.encode() not in ear.heard


@pytest.mark.parametrize("name", INTERPOLATED)
def test_no_variable_is_put_into_it(name: str, project: Path, ear: Eavesdropper) -> None:
    """`.env` is not a template: `${MY_TOKEN}` is nine letters and signs."""
    url = "postgresql://" + INTERPOLATED[name].replace("{place}", place_of(ear))
    for line in (f"{url}", f'"{url}"'):
        (project / ".env").write_text(f"DATABASE_URL={line}\n")
        heard = heard_by(ear, project, ["status"], MY_TOKEN=SECRET)
        assert b"MY_TOKEN" in heard
        assert SECRET.encode() not in heard


MAY = {
    *("host", "port", "user", "password", "dbname", "sslmode", "channel_binding"),
    *("application_name", "connect_timeout", "target_session_attrs", "load_balance_hosts"),
}
KEYWORDS = sorted(option.keyword.decode() for option in pq.Conninfo.get_defaults())


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("variable", URLS)
def test_every_other_parameter_is_refused(keyword: str, variable: str, project: Path) -> None:
    """Of all that libpq takes, and in both ways of writing a URL."""
    values = {"port": "5", "sslmode": "require", "channel_binding": "require"}
    value = values.get(keyword, "any")
    for text in (f"postgresql://h/d?{keyword}={value}", f"'host=h {keyword}={value}'"):
        (project / ".env").write_text(f"DATABASE_URL=postgresql://h/d\n{variable}={text}\n")
        config = load_config(project, environment={})
        given = {
            "DATABASE_URL": config.database_url,
            "TODO_SQL_DIRECT_URL": config.direct_url,
            "TODO_SQL_REPLICA_URL": config.replica_url,
        }[variable]
        assert given is not None
        if keyword in MAY:
            assert DatabaseUrl.parse(given, {}).parameters[keyword] == value
        else:
            with pytest.raises(ConfigError, match="U207") as caught:
                DatabaseUrl.parse(given, {})
            assert "any" not in str(caught.value).split()


@pytest.mark.parametrize(
    "parameter", ["sslkeylogfile", "passfile", "service", "hostaddr", "options"]
)
def test_a_refused_url_goes_nowhere(parameter: str, project: Path, ear: Eavesdropper) -> None:
    """No file is written, no one is called, and the message says what to do."""
    file = project / "home" / "victim"
    file.write_text("mine\n")
    value = "127.0.0.1" if parameter == "hostaddr" else file
    url = f"postgresql://u@{place_of(ear)}/d?sslmode=prefer&{parameter}={value}"
    (project / ".env").write_text(f"DATABASE_URL={url}\n")
    assert heard_by(ear, project, ["status"], PGPASSWORD=SECRET) == b""
    answer = todo_sql("status", cwd=project)
    assert f"error[U207] a database URL in .env has the parameter `{parameter}`" in answer.stderr
    assert answer.returncode == 2
    assert file.read_text() == "mine\n"


@pytest.mark.parametrize(
    "real", [{"DATABASE_URL": "{url}"}, {"PGHOST": "127.0.0.1", "PGPORT": "1"}]
)
def test_the_environment_silences_dotenv(
    real: dict[str, str], project: Path, ear: Eavesdropper
) -> None:
    """A real database is not led elsewhere for migrations and reads."""
    named = {k: v.replace("{url}", "postgresql://u@127.0.0.1:1/d") for k, v in real.items()}
    text = "".join(f"{name}=postgresql://u@{place_of(ear)}/d\n" for name in URLS[1:])
    if "DATABASE_URL" in real:
        text += f"DATABASE_URL=postgresql://u@{place_of(ear)}/d\n"
    (project / ".env").write_text(text)
    for verb in (["status"], ["migrate"], ["drift"]):
        assert heard_by(ear, project, verb, PGPASSWORD=SECRET, **named) == b""
    config = load_config(project, environment=named)
    assert config.replica_url is None


def test_a_place_that_the_environment_names_gets_its_secrets(
    project: Path, ear: Eavesdropper
) -> None:
    """PGHOST and PGPORT say where PGPASSWORD belongs; another port is another place."""
    (project / ".env").write_text(f"DATABASE_URL=postgresql://u@{place_of(ear)}/d\n")
    named = {"PGPASSWORD": SECRET, "PGHOST": "127.0.0.1"}
    assert SECRET.encode() not in heard_by(ear, project, ["status"], **named)
    named["PGPORT"] = str(ear.port)
    assert SECRET.encode() in heard_by(ear, project, ["status"], **named)
    (project / ".env").write_text("DATABASE_URL=postgresql:///d\n")
    assert SECRET.encode() in heard_by(ear, project, ["status"], **named)


@pytest.mark.parametrize("weak", ["sslmode=disable", "sslmode=prefer", "channel_binding=disable"])
def test_dotenv_does_not_lower_the_encryption_of_such_a_place(weak: str, project: Path) -> None:
    """Where our secrets go, the environment says how carefully."""
    (project / ".env").write_text(f"DATABASE_URL=postgresql://u@db.example/d?{weak}\n")
    real = {"PGHOST": "db.example"}
    given = load_config(project, environment=real).database_url
    assert given is not None
    url = DatabaseUrl.parse(given, real)
    assert url.parameters["sslmode"] == "require"
    assert "channel_binding" not in url.parameters


def test_a_password_of_dotenv_is_used(project: Path, ear: Eavesdropper) -> None:
    """What `.env` says itself is its author's to give."""
    (project / ".env").write_text(f"DATABASE_URL=postgresql://u:theirs@{place_of(ear)}/d\n")
    heard = heard_by(ear, project, ["status"], PGPASSWORD=SECRET)
    assert b"theirs\0" in heard
    assert SECRET.encode() not in heard
