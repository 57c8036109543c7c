"""URLs of PostgreSQL databases: read, made safe, and shown without their secrets.

A URL is ``postgres://…``, ``postgresql://…`` or libpq's ``key=value`` form. What it leaves out
comes from its service and from libpq's own variables, so that host and encryption are known
before a connection is made. A connection to another machine is encrypted unless the URL, the
service or PGSSLMODE says otherwise: without an ``sslmode`` it gets ``require``. A URL out of a
checkout's `.env` gets no secret of this machine. libpq adds to a URL what the machine knows:
PGPASSWORD, the password file, a service, a client certificate, a Kerberos ticket. All of that is
for the places that the real environment names.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from urllib.parse import quote, urlencode

from todo_sql.config import CheckoutUrl
from todo_sql.errors import ConfigError

SCHEMES = ("postgresql", "postgres")
_FROM_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
}
# What libpq shows as asterisks, but the password, has no variable to travel by.
SECRETS = ("password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
# Parameters of other tools, which may be named: they are no part of a password.
_FOREIGN = ("schema", "pgbouncer", "connection_limit", "pool_timeout", "ssl", "sslaccept")
# Where, who, and how carefully; nothing that names a file, a service, or another host.
_MAY = (
    *("host", "port", "user", "password", "dbname", "sslmode", "channel_binding"),
    *("application_name", "connect_timeout", "target_session_attrs", "load_balance_hosts"),
)
# libpq leaves out a file that is not there; to be empty would mean its usual place.
_NOWHERE = f"{os.devnull}/none"
_GUARD = {  # and by which variable it travels
    "password": ("", "PGPASSWORD"),
    "passfile": (_NOWHERE, "PGPASSFILE"),
    "sslcert": (_NOWHERE, "PGSSLCERT"),
    "gssencmode": ("disable", "PGGSSENCMODE"),
    "require_auth": ("none,password,md5,scram-sha-256", "PGREQUIREAUTH"),
}
# In a place that gets our secrets, encryption is for the environment to lower.
_CAREFUL = {
    "sslmode": ("PGSSLMODE", ("require", "verify-ca", "verify-full")),
    "channel_binding": ("PGCHANNELBINDING", ("require",)),
}
NEON = ".neon.tech"
POOLER = "-pooler"
EXAMPLE = "postgresql://user:password@host/database"
_LIKE = f"write it like {EXAMPLE}"

_URL_PASSWORD = re.compile(r"(\b[\w+]+://[^\s:/@?]*:)\S*@")
_PAIR_PASSWORD = re.compile(r"\b((?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.I)


class BadUrl(ConfigError):
    """A URL that is none of a PostgreSQL database, or cannot be read."""

    code = "U201"


def redact(text: str) -> str:
    """Replace every password in a text by ``***``, in URLs and in ``password=`` pairs alike."""
    return _PAIR_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1***@", text))


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and how to connect to it.

    Attributes:
        parameters: libpq's connection parameters, in its words (``host``, ``dbname``, …).
    """

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] | None = None) -> DatabaseUrl:
        """Read a URL or conninfo string and settle its encryption.

        Args:
            environment: Where libpq's variables stand; default: the process's.

        Raises:
            ConfigError: It is not one of PostgreSQL, or libpq cannot read it, or it is a
                checkout's and says what only the environment may.
        """
        theirs = isinstance(text, CheckoutUrl)
        environment = os.environ if environment is None else environment
        if not isinstance(text, str):
            what = type(text).__name__
            raise BadUrl(f"the database URL must be a string, not {what}", fix=_LIKE)
        text = text.strip()
        scheme, separator, rest = text.partition("://")
        if separator and scheme.lower() not in SCHEMES:
            raise _of_another_product(scheme)
        if not separator and "=" not in text:
            what = "is not a URL" if text else "is empty"
            raise BadUrl(f"the database URL {what}", fix=_LIKE)
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        try:
            found = conninfo_to_dict(scheme.lower() + text[len(scheme) :] if separator else text)
        except ProgrammingError as error:
            raise _unreadable(text, str(error)) from None
        if separator and "@" in rest.partition("?")[0].partition("/")[2]:
            raise _unreadable(text)  # a password with a `/` would be taken for the database
        parameters = {name: str(value) for name, value in found.items() if value is not None}
        if theirs:
            parameters = _guarded(parameters, _completed({}, environment), environment)
        parameters = _completed(parameters, environment)
        if "@" in parameters.get("host", ""):
            raise BadUrl("the password in the database URL holds an `@`", fix="write it as %40")
        for port in _listed(parameters.get("port", "")):
            if port and not (port.isdigit() and 0 < int(port) < 65536):
                raise BadUrl(
                    "the database URL names a port that is not a number from 1 to 65535",
                    cause=_ENCODE,
                    fix=f"{_LIKE}, with a port after the host",
                )
        url = cls(parameters)
        settled = not parameters.keys().isdisjoint({"sslmode", "service"})
        if settled or environment.get("PGSSLMODE") or url.is_local:
            return url
        return cls({**parameters, "sslmode": "require"})

    @property
    def is_local(self) -> bool:
        """Whether every host is this machine: a socket, or a loopback address."""
        hosts = self.parameters.get("hostaddr") or self.parameters.get("host", "")
        return all(map(_is_local, _listed(hosts)))

    @property
    def is_neon(self) -> bool:
        """Whether the host is Neon's."""
        return any(host.lower().endswith(NEON) for host in _listed(self.parameters.get("host", "")))

    @property
    def is_neon_pooler(self) -> bool:
        """Whether the host is Neon's pooler: PgBouncer in transaction mode."""
        return self.is_neon and self.direct() != self

    def direct(self) -> DatabaseUrl:
        """Return the direct twin of a Neon pooler's URL, and any other URL as it is."""
        if not self.is_neon:
            return self
        parts = (host.partition(".") for host in _listed(self.parameters["host"]))
        hosts = [endpoint.removesuffix(POOLER) + dot + domain for endpoint, dot, domain in parts]
        return DatabaseUrl({**self.parameters, "host": ",".join(hosts)})

    def with_database(self, name: str, options: str = "") -> DatabaseUrl:
        """Return the URL of another database of the same server, with more options."""
        found = {**self.parameters, "dbname": name}
        if options:
            found["options"] = f"{found.get('options', '')} {options}".strip()
        return DatabaseUrl(found)

    def as_role(self, role: str) -> DatabaseUrl:
        """Return the URL whose sessions run as a role; RESET ROLE leads back to it."""
        escaped = re.sub(r"([\\\s])", r"\\\1", role)
        given = self.parameters.get("options") or os.environ.get("PGOPTIONS", "")
        return DatabaseUrl({**self.parameters, "options": f"{given} -c role={escaped}".strip()})

    @property
    def role(self) -> str | None:
        """The role of `as_role`, or None."""
        found = re.findall(r"-c role=((?:\\[\s\S]|[^\s\\])+)", self.parameters.get("options", ""))
        return re.sub(r"\\([\s\S])", r"\1", found[-1]) if found else None

    def without_secrets(self) -> DatabaseUrl:
        """Return what other users of the machine may see, as in a list of processes."""
        left_out = (*SECRETS, *_GUARD)
        return DatabaseUrl({k: v for k, v in self.parameters.items() if k not in left_out})

    @property
    def variables(self) -> dict[str, str]:
        """What `without_secrets` leaves out and libpq takes from variables."""
        return {v: self.parameters[k] for k, (_, v) in _GUARD.items() if k in self.parameters}

    @property
    def text(self) -> str:
        """The URL with its secrets, for a driver."""
        return self._build(self.parameters)

    @property
    def shown(self) -> str:
        """The URL for people: user, host, port and database, without any secret."""
        plain = ("user", "host", "hostaddr", "port", "dbname")
        return self._build({k: self.parameters[k] for k in plain if k in self.parameters})

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.shown!r})"

    @staticmethod
    def _build(parameters: Mapping[str, str]) -> str:
        rest = dict(parameters)
        login = quote(rest.pop("user", ""), safe="")
        if rest.get("password"):  # an empty one stays a parameter: there libpq keeps it
            login += ":" + quote(rest.pop("password"), safe="")
        hosts, ports = _listed(rest.pop("host", "")), _listed(rest.pop("port", ""))
        if len(ports) == 1:
            ports *= max(1, len(hosts))
        places = [
            (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
            for host, port in zip(hosts or [""], ports or [""] * max(1, len(hosts)), strict=True)
        ]
        database = quote(rest.pop("dbname", ""), safe="")
        query = f"?{urlencode(rest, quote_via=quote)}" if rest else ""
        return f"postgresql://{login + '@' if login else ''}{','.join(places)}/{database}{query}"


_ENCODE = "a `%`, `@`, `:`, `/`, `?` or `#` in a password must be percent-encoded"


def _unreadable(text: str, said: str = "") -> BadUrl:
    """Say what is wrong with a URL without repeating any of it: it may be the password's."""
    unknown = re.search(r'(?:query parameter:|connection option:?) "?(\w+)', said)
    if unknown and unknown[1] in _FOREIGN:
        return BadUrl(
            f"the database URL has the parameter `{unknown[1]}`, which is another tool's",
            fix="leave it out",
        )
    cause = _ENCODE if "://" in text else "a value with blanks stands between single quotes"
    if unknown:
        cause = f"it has a parameter that PostgreSQL does not know; {cause}"
    return BadUrl("the database URL cannot be read", cause=cause, fix=_LIKE)


def _guarded(
    parameters: Mapping[str, str], real: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters of a checkout's URL, so that they take nothing from the machine."""
    for name in parameters:
        if name not in _MAY:
            raise ConfigError(
                f"a database URL in .env has the parameter `{name}`",
                code="U207",
                cause="`.env` comes with the checkout: it may say where a database is, and not "
                "name files, services or options",
                fix="leave it out, or set the URL in the environment",
            )
    if _places({**real, **parameters}) <= _places(real) | _places(
        {k: v for k, v in real.items() if k != "hostaddr"}
    ):
        lowered = {
            name
            for name, (variable, careful) in _CAREFUL.items()
            if environment.get(variable) or parameters.get(name) not in careful
        }
        return {name: value for name, value in parameters.items() if name not in lowered}
    from psycopg import pq

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return {**{k: v for k, (v, _) in _GUARD.items() if k in known}, **parameters}


def _places(parameters: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return each host and port; no host is libpq's own default."""
    hosts = (parameters.get("hostaddr") or parameters.get("host", "")).split(",")
    ports = (parameters.get("port") or "5432").split(",")
    filler = ports[0] if len(ports) == 1 else "5432"
    return {
        (host or "", port or "5432") for host, port in zip_longest(hosts, ports, fillvalue=filler)
    }


def _completed(parameters: dict[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Add what libpq would: the values of a service, then those of its variables."""
    service = parameters.get("service") or environment.get("PGSERVICE")
    given = _service(service, environment) if service else {}
    if given:
        parameters = {k: v for k, v in parameters.items() if k != "service"}
    elif service:
        return {**parameters, "service": service}  # libpq says that there is none
    found = {**given, **parameters}
    for name, variable in _FROM_ENVIRONMENT.items():
        if name not in found and (value := environment.get(variable)):
            found[name] = value
    return found


def _service(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a service file says of a service; nothing where no file knows it."""
    home = Path.home() / ".pg_service.conf"
    files = [Path(environment.get("PGSERVICEFILE") or home)]
    if folder := environment.get("PGSYSCONFDIR"):
        files.append(Path(folder) / "pg_service.conf")
    for file in files:
        found: dict[str, str] = {}
        inside = False
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        for line in map(str.strip, lines):
            if line.startswith("["):
                inside = line == f"[{name}]"
            elif inside and "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found.setdefault(key, value)
        if found:
            return found
    return {}


def _listed(text: str) -> list[str]:
    return text.split(",") if text else []


def _is_local(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_another_product(scheme: str) -> BadUrl:
    if scheme.lower().startswith(tuple(f"{name}+" for name in SCHEMES)):
        return BadUrl(
            f"the database URL begins with {scheme}://, which names a driver",
            fix="begin it with postgresql://",
        )
    return BadUrl(
        f"the database URL begins with {scheme}://, which is not PostgreSQL",
        cause="todo-sql works only with PostgreSQL 15 or newer",
        fix=_LIKE,
    )
