"""URLs out of a checkout's `.env`: whoever wrote them gets no secret of this machine.

libpq adds to a URL what the machine knows: PGPASSWORD, the password file, a service, a client
certificate, a Kerberos ticket. All of that is for the places that the real environment names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import zip_longest

from todo_sql.errors import ConfigError

# Where, who, and how carefully; nothing that names a file, a service, or another host.
_MAY = (
    *("host", "port", "user", "password", "dbname", "sslmode", "channel_binding"),
    *("application_name", "connect_timeout", "target_session_attrs", "load_balance_hosts"),
)
# libpq leaves out a file that is not there; to be empty would mean its usual place.
_NOWHERE = f"{os.devnull}/none"
_GUARD = {
    "password": "",
    "passfile": _NOWHERE,
    "sslcert": _NOWHERE,
    "gssencmode": "disable",
    "require_auth": "none,password,md5,scram-sha-256",
}
VARIABLES = {
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslcert": "PGSSLCERT",
    "gssencmode": "PGGSSENCMODE",
    "require_auth": "PGREQUIREAUTH",
}
# In a place that gets our secrets, encryption is for the environment to lower.
_CAREFUL = {
    "sslmode": ("PGSSLMODE", ("require", "verify-ca", "verify-full")),
    "channel_binding": ("PGCHANNELBINDING", ("require",)),
}


def guarded(
    parameters: Mapping[str, str], real: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters of a checkout's URL, so that they take nothing from the machine.

    Args:
        parameters: As `.env` has them.
        real: What libpq would take from the environment without them.
        environment: The real one.

    Raises:
        ConfigError: It holds a parameter that only the environment may set.
    """
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
        return {
            name: value
            for name, value in parameters.items()
            if name not in _CAREFUL
            or (value in _CAREFUL[name][1] and not environment.get(_CAREFUL[name][0]))
        }
    from psycopg import pq

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return {**{k: v for k, v in _GUARD.items() if k in known}, **parameters}


def _places(parameters: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return each host and port; no host is libpq's own default."""
    hosts = (parameters.get("hostaddr") or parameters.get("host", "")).split(",")
    ports = (parameters.get("port") or "5432").split(",")
    filler = ports[0] if len(ports) == 1 else "5432"
    return {
        (host or "", port or "5432") for host, port in zip_longest(hosts, ports, fillvalue=filler)
    }
