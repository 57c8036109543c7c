"""What the catalog of a migrated Todo database must look like, whatever migrations come."""

from __future__ import annotations

from typing import Any

import pytest
from support.people import Connection

pytestmark = pytest.mark.database

# The tables that Better Auth owns; the tenant rules leave them alone.
EXEMPT = ["users", "sessions", "accounts", "verifications"]

TABLES = """
select c.oid, c.relname, c.relispartition
from pg_class as c
where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p')
    and c.relname !~ 'yoyo|todo_sql'
"""


@pytest.fixture(scope="module")
def catalog(unchanged: Connection) -> Connection:
    """A connection to a migrated database, under the name of what it is asked for here."""
    return unchanged


def rows(connection: Connection, query: str, *arguments: Any) -> list[Any]:
    """Return the rows of a query; of a single column the bare values."""
    found = connection.execute(query, arguments or None).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def test_every_table_and_column_has_a_comment(catalog: Connection) -> None:
    """A DBA reads what a column means from the database itself, partitions included."""
    assert not rows(
        catalog,
        f"""
        select format('%s.%s', t.relname, coalesce(a.attname, '(table)'))
        from ({TABLES}) as t
        left join pg_attribute as a
            on t.oid = a.attrelid and (a.attnum > 0 and not a.attisdropped)
        where col_description(t.oid, a.attnum) is null or obj_description(t.oid) is null
        """,
    )


def test_every_function_has_a_comment(catalog: Connection) -> None:
    """A function says what it is for."""
    assert not rows(
        catalog,
        """
        select p.oid::regprocedure::text from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and obj_description(p.oid) is null
        """,
    )


def test_every_index_of_no_constraint_says_what_it_serves(
    catalog: Connection,
) -> None:
    """An index that nothing asks for is a cost; its comment names who asks."""
    assert not rows(
        catalog,
        f"""
        select i.indexrelid::regclass::text
        from pg_index as i inner join ({TABLES}) as t on i.indrelid = t.oid
        where not t.relispartition
            and not exists (select from pg_constraint as c where c.conindid = i.indexrelid
                and c.contype in ('p', 'u', 'x'))
            and coalesce(obj_description(i.indexrelid), '') !~ 'erves|Better Auth'
        """,
    )


def test_constraints_are_named_as_postgresql_would(catalog: Connection) -> None:
    """tasks_pkey, tasks_title_check, tasks_user_id_list_id_fkey: no two schools."""
    found = rows(
        catalog,
        f"""
        select t.relname, c.conname, c.contype::text, coalesce((
            select string_agg(a.attname, '_' order by k.position)
            from unnest(c.conkey) with ordinality as k (attnum, position)
            inner join pg_attribute as a on a.attrelid = t.oid and a.attnum = k.attnum
        ), '')
        from pg_constraint as c inner join ({TABLES}) as t on c.conrelid = t.oid
        where not t.relispartition and c.contype in ('p', 'u', 'f', 'c', 'x')
        """,
    )
    assert len(found) > 20
    for table, name, kind, columns in found:
        expected = {
            "p": f"{table}_pkey",
            "u": f"{table}_{columns}_key",
            "f": f"{table}_{columns}_fkey",
            "c": f"{table}_{columns}_check",
        }[kind]
        assert name == expected


def test_indexes_and_policies_are_named_by_the_style(catalog: Connection) -> None:
    """idx_<table>_<columns>[_<filter>], <table>_<command>_<whose>."""
    for table, index in rows(
        catalog,
        f"""
        select t.relname, i.indexrelid::regclass::text
        from pg_index as i inner join ({TABLES}) as t on i.indrelid = t.oid
        where not t.relispartition
            and not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
        """,
    ):
        assert index.startswith(f"idx_{table}_")
    commands = {"r": "select", "a": "insert", "w": "update", "d": "delete"}
    for table, policy, command, roles in rows(
        catalog,
        """
        select p.polrelid::regclass::text, p.polname, p.polcmd::text, p.polroles::regrole[]::text[]
        from pg_policy as p
        """,
    ):
        whose = {"todo_app": "own", "todo_readonly": "all", "todo_auth": "auth"}[roles[0]]
        assert roles[1:] == []
        assert policy == f"{table}_{commands[command]}_{whose}"


def test_row_security_is_enabled_and_not_forced(catalog: Connection) -> None:
    """Owners keep migrating and auditing; everybody else is held by policies."""
    assert not rows(
        catalog,
        f"""
        select t.relname from ({TABLES}) as t inner join pg_class as c on t.oid = c.oid
        where not c.relrowsecurity or c.relforcerowsecurity
        """,
    )


def test_tenant_tables_have_one_policy_per_command(catalog: Connection) -> None:
    """Select, insert, update and delete; the history can only be read."""
    found = dict(
        rows(
            catalog,
            """
            select p.polrelid::regclass::text, string_agg(p.polcmd::text, '' order by p.polcmd)
            from pg_policy as p
            where p.polroles = array['todo_app'::regrole::oid]
            group by p.polrelid
            """,
        )
    )
    assert found == {
        "audit_log": "r",
        "lists": "adrw",
        "tags": "adrw",
        "task_tags": "adrw",
        "tasks": "adrw",
        "users": "r",
    }


def test_every_policy_of_the_application_asks_for_its_user(
    catalog: Connection,
) -> None:
    """USING and WITH CHECK compare with the setting, through one function."""
    expressions = rows(
        catalog,
        """
        select unnest(array[pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid)])
        from pg_policy as p where p.polroles = array['todo_app'::regrole::oid]
        """,
    )
    for expression in filter(None, expressions):
        assert expression in ("(user_id = current_user_id())", "(id = current_user_id())")
    assert rows(
        catalog,
        "select pg_get_function_sqlbody(p.oid), p.provolatile from pg_proc as p "
        "where p.proname = 'current_user_id'",
    ) == [
        ("RETURN NULLIF(current_setting('app.current_user_id'::text, true), ''::text)", "s"),
    ]


def test_every_key_of_a_tenant_table_carries_the_tenant(
    catalog: Connection,
) -> None:
    """A unique key or a foreign key without user_id would tell about other tenants."""
    assert not rows(
        catalog,
        f"""
        select i.indexrelid::regclass::text
        from pg_index as i inner join ({TABLES}) as t on i.indrelid = t.oid
        where i.indisunique and t.relname <> all(%s)
            and (select a.attname from pg_attribute as a
                where a.attrelid = t.oid and a.attnum = i.indkey[0]) is distinct from 'user_id'
        """,
        EXEMPT,
    )
    assert not rows(
        catalog,
        f"""
        select c.conname from pg_constraint as c inner join ({TABLES}) as t on c.conrelid = t.oid
        where c.contype = 'f' and t.relname <> all(%s)
            and (select a.attname from pg_attribute as a
                where a.attrelid = t.oid and a.attnum = c.conkey[1]) is distinct from 'user_id'
        """,
        EXEMPT,
    )


def test_every_foreign_key_has_an_index(catalog: Connection) -> None:
    """Deleting a user, a list, a task or a tag finds what refers to it."""
    assert not rows(
        catalog,
        """
        select c.conname
        from pg_constraint as c
        where c.contype = 'f' and not exists (
            select from pg_index as i
            where i.indrelid = c.conrelid and i.indpred is null
                and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
        )
        """,
    )


def test_no_index_is_redundant_or_invalid(catalog: Connection) -> None:
    """No plain index is a prefix of another one with the same condition."""
    assert not rows(
        catalog,
        """
        select small.indexrelid::regclass::text
        from pg_index as small
        inner join pg_index as large
            on small.indrelid = large.indrelid and small.indexrelid <> large.indexrelid
        where not small.indisunique and small.indexprs is null
            and small.indpred::text is not distinct from large.indpred::text
            and large.indkey::text || ' ' like small.indkey::text || ' %'
            and starts_with(large.indoption::text, small.indoption::text)
        """,
    )
    assert not rows(catalog, "select indexrelid::regclass::text from pg_index where not indisvalid")


def test_no_privilege_beyond_need(catalog: Connection) -> None:
    """No TRUNCATE, REFERENCES, TRIGGER; nothing on partitions, sequences; nothing to PUBLIC."""
    grants = f"""
        select t.relname, t.relispartition, x.grantee, x.privilege_type
        from ({TABLES}) as t
        inner join pg_class as c on t.oid = c.oid
        cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as x
        where x.grantee <> c.relowner
    """
    allowed = ("SELECT", "INSERT", "UPDATE", "DELETE")
    found = rows(catalog, grants)
    assert found
    for table, partition, grantee, privilege in found:
        assert privilege in allowed, (table, privilege)
        assert not partition, table
        assert grantee != 0, table
    assert not rows(
        catalog,
        """
        select c.relname from pg_class as c cross join lateral aclexplode(c.relacl) as x
        where c.relkind = 'S' and x.grantee <> c.relowner
        """,
    )
    assert not rows(
        catalog,
        """
        select a.attrelid::regclass::text, a.attname
        from pg_attribute as a inner join pg_class as c on a.attrelid = c.oid
        cross join lateral aclexplode(a.attacl) as x
        where c.relnamespace = 'public'::regnamespace
            and (x.privilege_type = 'REFERENCES' or x.grantee = 0)
        """,
    )
    assert not rows(catalog, "select from pg_default_acl where defaclobjtype = 'r'")


def test_functions_are_closed_to_the_public(catalog: Connection) -> None:
    """EXECUTE is granted by name; a function fixes its search_path, or its body was parsed once."""
    found = rows(
        catalog,
        """
        select p.proname, p.prosecdef, p.proconfig, p.prosqlbody is not null, array(
            select x.grantee::regrole::text
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as x
            where x.grantee <> p.proowner
            order by 1
        )
        from pg_proc as p where p.pronamespace = 'public'::regnamespace
        """,
    )
    granted = {name: grantees for name, *_, grantees in found}
    assert granted.pop("current_user_id") == granted.pop("find_list") == ["todo_app"]
    assert granted.pop("resolve_session") == ["todo_app", "todo_auth"]
    assert set(map(tuple, granted.values())) == {()}
    for name, _, config, parsed, _ in found:
        assert parsed or "search_path=pg_catalog, pg_temp" in (config or []), name
    definers = sorted(name for name, definer, *_ in found if definer)
    assert definers == ["advance_identity", "record_change", "resolve_session"]


def test_roles_cannot_log_in_nor_bypass(catalog: Connection) -> None:
    """The three roles hold no attribute; logins are the operator's."""
    assert rows(
        catalog,
        """
        select rolname from pg_roles
        where rolname like 'todo\\_%'
            and not (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
                or rolreplication)
        order by rolname
        """,
    ) == ["todo_app", "todo_auth", "todo_readonly"]
