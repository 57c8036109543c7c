"""What the target of a run is, and why some targets are refused."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from todo_sql.migrations import surroundings, vetting
from todo_sql.migrations.migration_errors import LedgerError, TargetRefused
from todo_sql.migrations.surroundings import Overridden
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.pipeline import FlightCommand, Reply

OLDEST = 150000

_VERSION = "select pg_catalog.version(), pg_catalog.current_setting('server_version_num')"

# Along the session's own search path; kept for the statement after it, which is not.
_PLACES = f"""
select
    pg_catalog.current_schema(),
    pg_catalog.set_config('todo_sql.ledger', coalesce({vetting.FIND}, ''), true),
    pg_catalog.set_config(
        'todo_sql.path', pg_catalog.array_to_string(pg_catalog.current_schemas(false), '/'), true
    ),
    {vetting.ON_PATH} is null,
    {vetting.ELSEWHERE}
"""
_LEDGER = "pg_catalog.current_setting('todo_sql.ledger')"

_FACTS = f"""
select
    pg_catalog.current_database(),
    current_user,
    pg_catalog.pg_is_in_recovery(),
    pg_catalog.current_setting('transaction_read_only'),
    pg_catalog.pg_backend_pid(),
    exists (
        select
        from pg_catalog.pg_language as l
        where l.lanname = 'plpgsql' and pg_catalog.has_language_privilege(l.oid, 'usage')
    ),
    pg_catalog.to_char(
        pg_catalog.clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US'
    ),
    {vetting.unwritable(_LEDGER)},
    {vetting.SHARED.format(schema=_LEDGER)},
    (
        select string_agg(distinct n.nspname, ', ')
        from pg_namespace as n
        cross join lateral aclexplode(n.nspacl) as x
        left join pg_roles as r on r.oid = x.grantee
        where n.nspname = any (string_to_array(current_setting('todo_sql.path'), '/'))
            and x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
            and (r.oid is null or not (r.rolsuper or r.rolname = current_user))
    ),
    exists (
        select
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
            and n.nspname !~ '^pg_'
            and n.nspname <> 'information_schema'
            and c.relname !~ '^(_?yoyo_|_todo_sql_)'
            and not exists (
                select
                from pg_catalog.pg_depend as d
                where
                    d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    and d.objid = c.oid
                    and d.deptype = 'e'
            )
    )
"""

# Without it the backend of a killed migrator would finish its statement (not on Windows).
CHECK_INTERVAL = "client_connection_check_interval"
_CHECK = f"select pg_catalog.set_config('{CHECK_INTERVAL}', '500ms', false)"

COMMANDS = (
    FlightCommand(_VERSION, sync=True),
    FlightCommand(_PLACES),
    FlightCommand(SAFE_LOCALLY),
    FlightCommand(_FACTS, sync=True),
    FlightCommand(SAFE_LOCALLY),
    FlightCommand(surroundings.FIND, sync=True),
    FlightCommand(_CHECK, sync=True),
)


@dataclass(frozen=True)
class Target:
    """A server, a database and a role.

    Attributes:
        schema: Where the ledger is or would be made: its own schema where it exists.
        ledger: Whether there is a ledger.
        backend: The process that serves us, as it sees itself.
        plpgsql: Whether the role may use PL/pgSQL.
        untrusted: Why its tables must not be written, or None.
        shared: Whether its tables belong to a role that we are a member of.
        open_schemas: The schemas of the search path in which others may create, or None.
        empty: Whether the database holds nothing but what extensions made.
        notices_death: Whether its backends can be made to notice that their client died.
        off_path: Whether the ledger stands in a schema that is not on the search path.
        overridden: What role, database, URL or environment set and the run sets aside.
    """

    database: str
    role: str
    schema: str
    ledger: bool
    untrusted: str | None
    shared: bool
    open_schemas: str | None
    backend: int
    plpgsql: bool
    empty: bool
    notices_death: bool
    off_path: bool
    overridden: tuple[Overridden, ...]
    _clock: datetime
    _read_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """Return the server's time in UTC, without asking it again."""
        return self._clock + timedelta(seconds=time.monotonic() - self._read_at)


def read(answers: list[Reply], *, writes: bool) -> Target:
    """Return the target from the answers to `COMMANDS`.

    Raises:
        TargetRefused: It is another product, too old, or `writes` and it cannot be written.
        psycopg.Error: The server refused to say.
    """
    version, places, _, facts, _, around, check = answers
    for answer in (version, places, around):
        if answer.error:
            raise answer.error
    words, number = version.rows[0]
    refuse_product(str(words), int(number or 0))
    if facts.error:
        raise facts.error
    schema, ledger, _, off_path, elsewhere = places.rows[0]
    database, role, recovery, read_only, backend, plpgsql, clock, wrong, shared, open_, objects = (
        facts.rows[0]
    )
    if writes:
        refuse_unwritable(str(database), recovery == "t", read_only == "on")
    if not ledger and schema is None:
        raise TargetRefused(
            f"the search path of {role} names no schema that exists, so there is no place "
            "for the ledger",
            code="M504",
            fix="create the schema `public`, or set the role's search_path",
        )
    overridden = surroundings.read(around.rows)
    if writes and (fixed := [one for one in overridden if not one.settable]):
        raise TargetRefused(
            f"{fixed[0].name} is {fixed[0].theirs} for {role}, who may not set it to "
            f"{fixed[0].ours}",
            code="M508",
            cause="it changes what migrations do; nothing was changed",
            fix=f"as a superuser, `alter role … reset {fixed[0].name}` (or `alter database …`)",
        )
    if not ledger and elsewhere:
        raise LedgerError(
            f"there are several ledgers, none on the search path of {role}: in {elsewhere}",
            code="M406",
            cause="which of them is meant cannot be told; nothing was read or changed",
            fix=f"name one of these schemas in the search_path of {role} or of the URL "
            "(`options=-csearch_path%3DNAME`)",
        )
    return Target(
        database=str(database),
        role=str(role),
        schema=str(ledger or schema),
        ledger=bool(ledger),
        untrusted=wrong,
        shared=shared == "t",
        open_schemas=open_,
        backend=int(backend or 0),
        plpgsql=plpgsql == "t",
        empty=objects == "f",
        notices_death=check.error is None,
        off_path=bool(ledger) and off_path == "t",
        overridden=overridden,
        _clock=datetime.fromisoformat(str(clock)),
    )


def refuse_product(words: str, number: int) -> None:
    """Refuse what only speaks PostgreSQL's protocol, and PostgreSQL before 15."""
    other = any(mark in words for mark in ("-YB-", "Redshift", "Greenplum", "RisingWave"))
    if not words.startswith("PostgreSQL ") or other:
        raise TargetRefused(
            f"the server is not PostgreSQL but {words.split(' on ')[0]}",
            code="M501",
            cause="the migrator relies on PostgreSQL's transactional DDL, locks and catalogs",
            fix="name a PostgreSQL server",
        )
    if number < OLDEST:
        raise TargetRefused(
            f"the server is {words.split(' on ')[0]}, older than PostgreSQL 15",
            code="M502",
            fix="upgrade the server",
        )


def refuse_unwritable(database: str, recovery: bool, read_only: bool) -> None:
    """Refuse a replica and a read-only database."""
    if recovery:
        raise TargetRefused(
            f"the server of {database} is a replica: it accepts no writes",
            code="M503",
            fix="name the primary, for example in TODO_SQL_DIRECT_URL",
        )
    if read_only:
        raise TargetRefused(
            f"transactions on {database} are read-only (default_transaction_read_only)",
            code="M503",
            fix="set it to off for the role or the database, or use another role",
        )
