"""What the target of a run is, and why some targets are refused."""

from __future__ import annotations

import json
from dataclasses import dataclass

from todo_sql.migrations import surroundings, vetting
from todo_sql.migrations.migration_errors import LedgerError, TargetRefused
from todo_sql.migrations.surroundings import Overridden
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import FlightCommand, Reply

OLDEST = 150000

_VERSION = "select pg_catalog.version(), pg_catalog.current_setting('server_version_num')"

# Along the session's own search path; kept for the statement after it, which is not.
_PLACES = """
select
    {schema},
    {ledger},
    pg_catalog.set_config('todo_sql.ledger', {looked_at}, true),
    pg_catalog.set_config(
        'todo_sql.path', pg_catalog.array_to_string(pg_catalog.current_schemas(false), '/'), true
    ),
    {on_path} is null,
    {everywhere}
"""
_ALONG_THE_PATH = _PLACES.format(
    schema="pg_catalog.current_schema()",
    ledger=vetting.FIND,
    looked_at=f"coalesce({vetting.FIND}, '')",
    on_path=vetting.ON_PATH,
    everywhere=vetting.EVERYWHERE,
)
_WHERE_SAID = _PLACES.format(
    schema=vetting.PINNED_SCHEMA,
    ledger=vetting.PINNED,
    looked_at="$1::pg_catalog.text",
    on_path="''",
    everywhere=vetting.EVERYWHERE,
)
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
_CHECK = f"select pg_catalog.set_config('{CHECK_INTERVAL}', '500ms', true)"


def commands(ledger: str | None) -> tuple[FlightCommand, ...]:
    """Return the commands that describe the target; without a schema, along the path."""
    said = None if ledger is None else FlightCommand(_WHERE_SAID, (ledger,))
    return (
        FlightCommand(_VERSION, sync=True),
        said or FlightCommand(_ALONG_THE_PATH),
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
        pinned: Whether the configuration says the schema.
        placed: Whether the schema exists.
        ledgers: The schemas of all ledgers of ours in this database.
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
    pinned: bool
    placed: bool
    ledgers: tuple[str, ...]
    untrusted: str | None
    shared: bool
    open_schemas: str | None
    backend: int
    plpgsql: bool
    empty: bool
    notices_death: bool
    off_path: bool
    overridden: tuple[Overridden, ...]


def read(answers: list[Reply], *, writes: bool, said: str | None) -> Target:
    """Return the target from the answers to `commands(said)`.

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
    for answer in answers[:-1]:  # of a timeout that strikes between two, the rest is not ours
        if answer.error:
            raise answer.error
    schema, ledger, _, _, off_path, everywhere = places.rows[0]
    ledgers = tuple(sorted(json.loads(everywhere))) if everywhere else ()
    database, role, recovery, read_only, backend, *more = facts.rows[0]
    plpgsql, wrong, shared, open_, objects = more
    if writes:
        refuse_unwritable(str(database), recovery == "t", read_only == "on")
    if not ledger and schema is None and said is None:
        raise TargetRefused(
            f"the search path of {role} names no schema that exists, so there is no place "
            "for the ledger",
            code="M504",
            fix="create the schema `public`, set the role's search_path, or say the schema: "
            '`ledger = "…"` in [tool.todo-sql]',
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
    if not ledger and said is None and len(ledgers) > 1:
        raise LedgerError(
            f"there are several ledgers, none on the search path of {role}: in "
            f"{', '.join(ledgers)}",
            code="M406",
            cause="which of them is meant cannot be told; nothing was read or changed",
            fix='say which: `ledger = "NAME"` in [tool.todo-sql]',
        )
    return Target(
        database=str(database),
        role=str(role),
        schema=str(said or ledger or schema),
        ledger=bool(ledger),
        pinned=said is not None,
        placed=schema is not None or bool(ledger),
        ledgers=ledgers,
        untrusted=wrong,
        shared=shared == "t",
        open_schemas=open_,
        backend=int(backend or 0),
        plpgsql=plpgsql == "t",
        empty=objects == "f",
        notices_death=check.error is None,
        off_path=bool(ledger) and off_path == "t",
        overridden=overridden,
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
