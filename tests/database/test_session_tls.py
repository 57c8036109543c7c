"""TLS on a real server with certificates of our own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import functions as f
from support import sessions as q

from todo_sql import Database, DatabaseError, Timeout, Unavailable
from todo_sql.embedded.programs import Account, binaries
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

pytest_plugins = ["support.session_fixtures"]


_OPENSSL = ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
_OPENSSL += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]


def _supports_tls() -> bool:
    """Whether some PostgreSQL on this machine was built with OpenSSL (the wheel's was not)."""
    try:
        programs = binaries(15)
    except DatabaseError:
        return False
    said = subprocess.run([programs / "pg_config", "--configure"], capture_output=True, text=True)
    return "openssl" in said.stdout or "--with-ssl" in said.stdout


@pytest.fixture(scope="module")
def secure() -> Iterator[tuple[str, Path]]:
    """The URL of a server with TLS, without an sslmode, and the certificate to trust."""
    if shutil.which("openssl") is None or not _supports_tls():
        pytest.skip("no PostgreSQL with TLS on this machine")
    home = Path(tempfile.mkdtemp(prefix="todo-sql-tls-"))
    home.chmod(0o755)
    key, certificate = home / "server.key", home / "server.crt"
    subprocess.run(
        [*_OPENSSL, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    account = Account.choose(home / "data")
    if account:
        account.own(key)
    settings = {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
    try:
        with temporary_server(15, settings=settings) as server:
            url = server.url()
            migrate(url, q.MIGRATIONS)
            q.add_users(url, "ann")
            yield url.replace("127.0.0.1", "localhost"), certificate
    finally:
        shutil.rmtree(home)


def test_encrypted_and_verified(secure: tuple[str, Path]) -> None:
    """verify-full with channel binding; every kind of traffic, a cancel, a big batch."""
    url, certificate = secure
    options = f"?sslmode=verify-full&sslrootcert={certificate}&channel_binding=require"
    with Database.connect(url + options) as db:
        assert db.session().sql(
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()", bool
        ) == [True]
        ann = db.as_user("ann")
        with ann.batch() as batch:
            made = [batch.add(f.add_task, title="x" * 200) for _ in range(1500)]
        assert len({entry.result().id for entry in made}) == 1500
        assert len(ann.many(q.LIST, {})) == 1500
        with pytest.raises(Timeout):
            ann.within(0.2).execute(q.NAP, {"seconds": 30.0})


def test_a_server_that_cannot_prove_itself_is_refused(secure: tuple[str, Path]) -> None:
    """A name or a certificate that does not fit is an error that says so."""
    url, certificate = secure
    wrong_name = url.replace("localhost", "127.0.0.1")
    options = f"?sslmode=verify-full&sslrootcert={certificate}"
    with (
        Database.connect(wrong_name + options, timeout=3) as db,
        pytest.raises(Unavailable, match="certificate"),
    ):
        db.session().one(q.WHO, {})


def test_a_plain_server_is_refused_when_tls_is_required(two_users: str) -> None:
    """`sslmode=require` is never given up silently."""
    with (
        Database.connect(two_users + "?sslmode=require", timeout=3) as db,
        pytest.raises(Unavailable, match="SSL"),
    ):
        db.session().one(q.WHO, {})
