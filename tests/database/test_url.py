"""URLs of databases: which are taken, what they become, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from todo_sql.errors import ConfigError
from todo_sql.wire.url import SECRETS, DatabaseUrl, redact

NOTHING: dict[str, str] = {}


def parse(text: str, environment: dict[str, str] | None = None) -> DatabaseUrl:
    """Parse apart from the environment of the run."""
    return DatabaseUrl.parse(text, NOTHING if environment is None else environment)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://u:p@localhost:5433/d",
        "postgresql://u:p@localhost:5433/d",
        "PostgreSQL://u:p@localhost:5433/d",
        "  postgresql://u:p@localhost:5433/d\n",
        "host=localhost port=5433 user=u password=p dbname=d",
    ],
)
def test_every_form_means_the_same(text: str) -> None:
    """URL or key=value, the parameters are the same."""
    url = parse(text)
    assert url.parameters == {
        "user": "u",
        "password": "p",
        "host": "localhost",
        "port": "5433",
        "dbname": "d",
    }
    assert url.text == "postgresql://u:p@localhost:5433/d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://u:sesame@h/d", "mysql://, which is not PostgreSQL"),
        ("sqlite:///todo.db", "sqlite://, which is not PostgreSQL"),
        ("postgresql+psycopg://u:sesame@h/d", "names a driver"),
        ("todo", "is not a URL"),
        ("", "is empty"),
        ("postgresql://u:sesame@h/d?x=y", "cannot be read"),
        ("postgresql://u:sesame@h:port/d", "names a port that is not a number"),
        ("postgresql://u:sesame@h:70000/d", "names a port that is not a number"),
        (
            "postgresql://u:sesame@h/d?schema=public",
            "`schema`, which is another tool's",
        ),
        ("postgresql://u:ses@me@h/d", "holds an `@`"),
        ("postgresql://u:ses%me@h/d", "cannot be read"),
        ("host=h password=sesame colour=red", "cannot be read"),
    ],
)
def test_anything_else_is_an_error_without_the_secret(text: str, message: str) -> None:
    """What is no PostgreSQL URL is said so, with a fix, and without the password."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert "fix: " in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "postgresql:///d",
        "postgresql://localhost/d",
        "postgresql://127.0.0.1/d",
        "postgresql://127.9.9.9:1/d",
        "postgresql://[::1]:5433/d",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/d",
        "postgresql://localhost:1,127.0.0.1:2/d",
        "host=/tmp dbname=d",
    ],
)
def test_this_machine_needs_no_encryption(text: str) -> None:
    """A loopback address or a socket keeps libpq's default."""
    url = parse(text)
    assert url.is_local
    assert "sslmode" not in url.parameters
    assert parse(url.text) == url


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db.example.com/d",
        "postgresql://db/d",
        "postgresql://10.0.0.1/d",
        "postgresql://localhost,db.example.com/d",
        "postgresql://localhost/d?hostaddr=10.0.0.1",
        "postgresql://ep-a-1.eu-central-1.aws.neon.tech/d",
        "host=db.example.com dbname=d",
    ],
)
def test_another_machine_is_encrypted_unless_said_otherwise(text: str) -> None:
    """Plain text to another machine needs an explicit sslmode."""
    assert parse(text).parameters["sslmode"] == "require"
    assert not parse(text).is_local
    assert "sslmode" not in parse(text, {"PGSSLMODE": "prefer"}).parameters


def test_an_explicit_sslmode_stays() -> None:
    """What the URL says about encryption is honoured, channel binding included."""
    given = "postgresql://h/d?sslmode=disable&channel_binding=require"
    assert parse(given).parameters["sslmode"] == "disable"
    assert parse(given).parameters["channel_binding"] == "require"


def test_the_host_may_come_from_the_environment() -> None:
    """PGHOST counts where the URL names no host."""
    assert parse("postgresql:///d", {"PGHOST": "h"}).parameters["sslmode"] == "require"
    assert "sslmode" not in parse("postgresql:///d", {"PGHOST": "/tmp"}).parameters


def test_neon_pooler_has_a_direct_twin() -> None:
    """On Neon the host without `-pooler` is the same database, past PgBouncer."""
    pooled = parse("postgresql://u:p@ep-a-b-123-pooler.eu-central-1.aws.neon.tech/d")
    assert pooled.is_neon
    assert pooled.is_neon_pooler
    direct = pooled.direct()
    assert direct.parameters["host"] == "ep-a-b-123.eu-central-1.aws.neon.tech"
    assert direct.parameters["password"] == "p"
    assert not direct.is_neon_pooler
    assert direct.direct() == direct


def test_other_hosts_have_no_twin() -> None:
    """`-pooler` means nothing elsewhere, nor a domain that only ends like Neon's."""
    for host in ("x-pooler.example.com", "x-pooler.notneon.tech", "neon.tech.example.com"):
        url = parse(f"postgresql://{host}/d")
        assert not url.is_neon_pooler
        assert url.direct() == url


def test_what_people_see_holds_no_secret() -> None:
    """The forms for people name user, host, port and database alone."""
    url = parse("postgresql://u:sesame@h:1/d?sslmode=require&sslpassword=sesame")
    assert url.shown == "postgresql://u@h:1/d"
    assert "sesame" not in f"{url} {url!r} {url.shown}"
    assert "sesame" in url.text


def test_another_database_of_the_same_server() -> None:
    """Only the database changes."""
    url = parse("postgresql://u:p@localhost/d").with_database("other d")
    assert url.text == "postgresql://u:p@localhost/other%20d"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:sesame@h/d",
        "mysql+x://u:sesame@h/d",
        "connecting to postgres://u:se@sesame@h/d failed",
        "postgres://u:se/sesame@h/d",
        "host=h password=sesame user=u",
        "host=h password = 'a \\' sesame' user=u",
        "postgresql://h/d?user=u&password=sesame&x=y",
        "sslpassword=sesame",
    ],
)
def test_redact_finds_passwords(text: str) -> None:
    """Whatever form it has, the password goes and the rest stays readable."""
    shown = redact(text)
    assert "sesame" not in shown
    assert "***" in shown


def test_redact_leaves_other_text() -> None:
    """A text without a secret is unchanged."""
    text = "see https://example.com/a@b and user@host, port 5432: password authentication failed"
    assert redact(text) == text


names = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)


@given(user=names, password=names, database=names)
def test_any_characters_survive_the_url(user: str, password: str, database: str) -> None:
    """User, password and database may hold any character."""
    parameters = {"user": user, "password": password, "host": "localhost", "dbname": database}
    try:
        for value in parameters.values():
            value.encode()
    except UnicodeEncodeError:
        return
    assert parse(DatabaseUrl(parameters).text).parameters == parameters


# A secret in a URL that is written wrongly, in every way that was thought of.
SECRET = "S3cr3t"
WRONG = [
    *(f"postgresql://u:{SECRET}{sign}x@h/d" for sign in "/?#@%:[] &=\\"),
    *(f"postgresql://u:1{sign}{SECRET}@h/d" for sign in "/?#@%:[] &=\\"),
    *(f"postgresql://u:{SECRET}@h{rest}" for rest in (":p/d", ":0/d", "/d?x", "/d?x=y", "/%zz")),
    f"postgresql://h/d?password={SECRET}%",
    f"postgresql://h/d?sslpassword={SECRET}&x=1",
    f"postgresql://h/d?{SECRET}",
    f"postgresql://h/d?{SECRET}=x",
    f"postgresql://h:{SECRET}/d",
    f"host=h password=a {SECRET}",
    f"host=h password=a {SECRET}=b",
    f"host=h password='{SECRET}",
    f"host=h port={SECRET}",
    f"mysql://u:{SECRET}@h/d",
    f"u:{SECRET}@h/d",
    f"{SECRET}",
]


@pytest.mark.parametrize("text", WRONG)
def test_no_part_of_a_wrong_url_is_repeated(text: str) -> None:
    """Where the URL cannot be read, the message holds nothing of it; else nothing secret shows."""
    try:
        url = parse(text)
    except ConfigError as error:
        assert SECRET not in f"{error} {error.finding!r}"
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    else:
        assert SECRET not in f"{url} {url!r} {url.shown}"


def test_what_libpq_hides_is_a_secret() -> None:
    """Every parameter that libpq shows as asterisks is kept from other users."""
    hidden = {
        option.keyword.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.dispchar == b"*"
    }
    assert hidden <= set(SECRETS)
    url = DatabaseUrl({"host": "h", **dict.fromkeys(SECRETS, "sesame")})
    assert url.without_secrets().parameters == {"host": "h"}


SERVICE = """
# comment
[other]
host=127.0.0.1

[there]
host=db.example.com
port=5433
# dbname=no
dbname=d
"""


@pytest.mark.parametrize(
    ("text", "environment", "parameters"),
    [
        ("postgresql://", {"PGHOST": "h", "PGPORT": "1"}, {"host": "h", "port": "1"}),
        ("postgresql:///d", {"PGUSER": "u", "PGHOST": "/tmp"}, {"user": "u", "dbname": "d"}),
        ("postgresql://localhost/d", {"PGHOSTADDR": "10.1.1.1"}, {"hostaddr": "10.1.1.1"}),
        ("postgresql://", {"PGSERVICE": "there"}, {"host": "db.example.com", "port": "5433"}),
        ("service=there", {}, {"host": "db.example.com", "dbname": "d"}),
        ("service=there host=h", {"PGHOST": "x"}, {"host": "h", "port": "5433"}),
        ("service=absent", {"PGHOST": "x"}, {"service": "absent"}),
    ],
)
def test_what_the_url_leaves_out_comes_from_where_libpq_takes_it(
    text: str, environment: dict[str, str], parameters: dict[str, str], tmp_path: Path
) -> None:
    """Service before variables, the URL before both; a remote host is encrypted all the same."""
    file = tmp_path / "services"
    file.write_text(SERVICE)
    url = parse(text, {**environment, "PGSERVICEFILE": str(file)})
    assert parameters.items() <= url.parameters.items()
    if not url.is_local:
        assert url.parameters["sslmode"] == "require"
    prefer = parse(text, {**environment, "PGSERVICEFILE": str(file), "PGSSLMODE": "verify-full"})
    assert "sslmode" not in prefer.parameters


def test_a_service_settles_its_encryption(tmp_path: Path) -> None:
    """What the service says of encryption stays."""
    file = tmp_path / "services"
    file.write_text("[s]\nhost=h\nsslmode=verify-full\n")
    url = parse("service=s", {"PGSERVICEFILE": str(file)})
    assert url.parameters == {"host": "h", "sslmode": "verify-full"}
