"""Who runs a checkout's migrations on a scratch server: a role of ours that is no superuser.

A superuser's `copy … to program` runs programs, so a superuser's server is asked for a role
that owns each scratch database, makes roles and bypasses policies, as a superuser does, and
is allowed nothing outside of its databases. Every later connection is this role's as well:
planning a query runs functions that the migrations made. Only ``TODO_SQL_REPLAY=superuser``
in the real environment lets a superuser do it. A login that is no superuser stays as it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from todo_sql.catalog.ddl import assigned
from todo_sql.errors import ConfigError, DatabaseError, Finding
from todo_sql.sql.trust import SAFE_ALWAYS
from todo_sql.wire.url import DatabaseUrl

ROLE = "todo_sql_replay"
REFUSED = "P203"
_DENIED = "42501"
_CAUSE = (
    "it runs on a scratch server, and not as its superuser, who could start programs and read "
    "files for whoever wrote the migrations"
)
_FIX = (
    "read the migrations; if you trust them, set TODO_SQL_REPLAY=superuser in the environment, "
    "or name a login that may do it in TODO_SQL_SCRATCH_URL"
)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ScratchServer:
    """A server to try things on.

    Attributes:
        url: Of a login that makes databases.
        superuser: Whether replays may be a superuser's, where the login is one.
    """

    url: str
    superuser: bool = False


@dataclass(frozen=True, slots=True)
class Administration:
    """A connection that makes and drops databases, and runs nothing of a project's.

    Attributes:
        connection: In autocommit mode.
        base: The URL of the login that owns the databases made.
        owner: Our role, or None where it is the server's own login.
        durable: Whether the server waits for its disk.
    """

    connection: Connection
    base: DatabaseUrl
    owner: str | None
    durable: bool

    def create(self, name: str) -> None:
        """Make an empty database that belongs to whoever replays."""
        text: LiteralString = "create database {} template template0"
        text += " owner {}" if self.owner else ""
        # To copy files needs two checkpoints, which cost nothing where no disk is waited for.
        text += "" if self.durable else " strategy file_copy"
        execute(self.connection, text, name, *([self.owner] if self.owner else []))

    def copy(self, template: str, name: str) -> None:
        """Make a copy of a database that belongs to whoever replays."""
        copy_database(self.connection, template, name, self.owner or self.connection.info.user)

    def url(self, name: str, options: str = "") -> str:
        """Return the URL of a database, of the login that owns it."""
        return self.base.with_database(name, options).text


def execute(connection: Connection, text: LiteralString, *names: str) -> None:
    """Run a statement with names in the places of ``{}``."""
    connection.execute(sql.SQL(text).format(*map(sql.Identifier, names)))


_SETTINGS = """
select r.rolname::text, pg_catalog.split_part(s.one, '=', 1),
    pg_catalog.substr(s.one, pg_catalog.strpos(s.one, '=') + 1)
from pg_catalog.pg_db_role_setting as c
inner join pg_catalog.pg_database as d on c.setdatabase = d.oid
cross join lateral pg_catalog.unnest(c.setconfig) as s (one)
left join pg_catalog.pg_roles as r on c.setrole = r.oid
where d.datname = %s and not d.datistemplate
"""
_PRIVILEGES = """
select r.rolname::text, a.privilege_type,
    case when a.is_grantable then ' with grant option' else '' end
from pg_catalog.pg_database as d
cross join lateral pg_catalog.aclexplode(d.datacl) as a
left join pg_catalog.pg_roles as r on a.grantee = r.oid
where d.datname = %s and not d.datistemplate
"""


def copy_database(connection: Connection, template: str, name: str, owner: str) -> None:
    """Copy a database with its settings and privileges, which `create database` leaves behind.

    Args:
        connection: In autocommit mode, to another database; of a superuser or the owner.
        template: Which to copy; nobody may be connected to it. What `template1` and its like
            have is about themselves, and stays there.
    """
    # Measured without fsync: file_copy 25 ms, wal_log 75 ms, which writes each page to the log.
    copied = "create database {} template {} owner {} strategy file_copy"
    execute(connection, copied, name, template, owner)
    target = sql.Identifier(name)
    for role, setting, value in connection.execute(_SETTINGS, [template]).fetchall():
        whose = sql.SQL("role {} in ").format(sql.Identifier(role)) if role else sql.SQL("")
        text = sql.SQL("alter {}database {} set {}")
        connection.execute(text.format(whose, target, sql.SQL(assigned(setting, value))))
    given = connection.execute(_PRIVILEGES, [template]).fetchall()
    if given:
        execute(connection, "revoke all on database {} from public", name)
    for role, privilege, option in given:
        grantee = sql.Identifier(role) if role else sql.SQL("public")
        text = sql.SQL("grant {} on database {} to {}{}")
        connection.execute(text.format(sql.SQL(privilege), target, grantee, sql.SQL(option)))


def drop(connection: Connection, name: str) -> None:
    """Drop a database, whoever is connected."""
    execute(connection, "drop database if exists {} with (force)", name)


@contextmanager
def administering(server: ScratchServer) -> Iterator[Administration]:
    """Yield what makes databases on a server; makes our role where there is need of it.

    Raises:
        ConfigError: Our role cannot sign in there.
    """
    url = DatabaseUrl.parse(server.url)
    with psycopg.connect(url.text, autocommit=True) as connection:
        connection.execute(SAFE_ALWAYS)
        row = connection.execute(
            "select rolsuper, pg_catalog.current_setting('fsync') from pg_catalog.pg_roles "
            "where rolname = session_user"
        ).fetchone()
        durable = not row or row[1] == "on"
        if server.superuser or not (row and row[0]):
            yield Administration(connection, url, None, durable)
            return
        login = {"user": ROLE, "password": _prepare(connection)}
        ours = DatabaseUrl({**url.parameters, **{k: v for k, v in login.items() if v}})
        if not login["password"]:
            _try(ours)
        yield Administration(connection, ours, ROLE, durable)


def _try(url: DatabaseUrl) -> None:
    """See that our role gets in where the superuser needs no password."""
    try:
        psycopg.connect(url.text).close()
    except psycopg.OperationalError as error:
        message = f"the scratch server does not let the role {ROLE} in"
        cause = f"migrations run there as a role that is no superuser: {error}"
        fix = "name a login with createdb and createrole in TODO_SQL_SCRATCH_URL, or a superuser "
        fix += "that has a password"
        raise ConfigError(message, code="P204", cause=cause, fix=fix) from None


def refusal(error: psycopg.Error | DatabaseError, found: Finding, user: str) -> Finding | None:
    """Return the finding of what only a superuser may do, else None.

    Args:
        found: What would be told of it otherwise.
    """
    if error.sqlstate != _DENIED or user != ROLE:
        return None
    cause = f"{found.cause}\n{_CAUSE}" if found.cause else _CAUSE
    return replace(found, code=REFUSED, cause=cause, fix=_FIX)


@contextmanager
def telling(owner: str | None) -> Iterator[None]:
    """Say of a migration that needs a superuser what to do about it."""
    try:
        yield
    except DatabaseError as error:
        error.finding = refusal(error, error.finding, owner or "") or error.finding
        raise


# Roles that lead out of the database; whoever is a member of one is not handed to us.
_OUT = "('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')"
_LEADS_OUT = f"""exists (
    select from pg_catalog.pg_roles as o
    where (o.rolsuper or o.rolreplication or o.rolname in {_OUT})
        and pg_catalog.pg_has_role(r.oid, o.oid, 'member')
)"""
_TO_BE_GIVEN = f"""
select from pg_catalog.pg_roles as r
where r.rolname = %s and r.oid >= 16384 and not {_LEADS_OUT}
"""


def may_be_given(connection: Connection, role: str) -> bool:
    """Whether a superuser may give objects of others to a role: it leads out of no database.

    An index is built, a materialized view filled and a function called as the owner.
    """
    return connection.execute(_TO_BE_GIVEN.encode(), [role]).fetchone() is not None


# What `migrate` made as a superuser on the same cluster, so that a replay finds it its own.
_TO_GRANT = f"""
select r.rolname::text from pg_catalog.pg_roles as r
where r.oid >= 16384 and r.rolname <> '{ROLE}' and not {_LEADS_OUT}
    and not pg_catalog.pg_has_role(r.oid, '{ROLE}', 'member')
    and not exists (
        select from pg_catalog.pg_auth_members as m
        where m.roleid = r.oid and m.member = '{ROLE}'::pg_catalog.regrole and m.admin_option
    )
order by 1
"""
# Before 16 whoever makes roles may join any role that is not a superuser's. On servers that
# we made ourselves those that lead out are, see `embedded.cluster`.
_MAY_MAKE_ROLES = f"""
select pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 160000 or not exists (
    select from pg_catalog.pg_roles as r where not r.rolsuper and {_LEADS_OUT}
)
"""


def _prepare(connection: Connection) -> str | None:
    """Make our role as it should be; return its password, or None where nobody has one."""
    known = connection.info.password  # so that each process that knows it makes the same of it
    password = hmac.digest(known.encode(), ROLE.encode(), "sha256").hex() if known else None
    modern = connection.info.server_version >= 160000
    leads_out = f"select {_LEADS_OUT} from pg_catalog.pg_roles as r where r.rolname = '{ROLE}'"
    key = int.from_bytes(hashlib.sha256(ROLE.encode()).digest()[:8], "big", signed=True)
    with connection.transaction():
        connection.execute("select pg_catalog.pg_advisory_xact_lock(%s)", [key])
        found = connection.execute(leads_out).fetchone()
        makes_roles = connection.execute(_MAY_MAKE_ROLES).fetchone()
        if modern:  # the password is a random one, and slow rounds protect those that are not
            connection.execute("set local scram_iterations = 1")
        made = sql.SQL(
            "{} role {} login nosuperuser nocreatedb noreplication bypassrls inherit {} "
            "password {} valid until 'infinity'"
        ).format(
            sql.SQL("alter" if found else "create"),
            sql.Identifier(ROLE),
            sql.SQL("createrole" if makes_roles == (True,) else "nocreaterole"),
            sql.Literal(password),
        )
        connection.execute(made)
        if found and connection.execute(leads_out).fetchone() == (True,):
            message = f"the role {ROLE} of the scratch server may do too much"
            cause = "it is a member of a role that may start programs, read files or replicate"
            fix = f"revoke that role from {ROLE}"
            raise ConfigError(message, code="P204", cause=cause, fix=fix)
        connection.execute(f"alter role {ROLE} reset all")
        if modern:  # what it makes it may act as, like a superuser
            connection.execute(f"alter role {ROLE} set createrole_self_grant = 'set, inherit'")
        for (name,) in connection.execute(_TO_GRANT).fetchall():
            execute(connection, "grant {} to {} with admin option", name, ROLE)
    return password
