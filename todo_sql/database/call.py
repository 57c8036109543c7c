"""A call made ready: the text that its arguments choose, its values, its scope. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from todo_sql.database.query import Query
from todo_sql.database.scope import BEGIN_ON_REPLICA, REPLAYED, Scope, Settings, scope_steps
from todo_sql.database.texts import Text
from todo_sql.queries.cursor import Cursor, decode
from todo_sql.queries.keyset import PageVariant, choose_page, page_size
from todo_sql.wire.call_errors import BadParameter, TenantRequired
from todo_sql.wire.retry import is_idempotent
from todo_sql.wire.statement import BEGIN, BEGIN_READ_ONLY, COMMIT, Step, WireStatement


class Call:
    """One call of a query.

    Attributes:
        query: What is called.
        statement: What is sent: that of the text, or one around it.
        values: Of ``$1``, ``$2``, …
        timeout: Seconds that it may take, or None: the database's default.
        repeatable: Whether it may be sent twice.
        bound: The parameter that stands for the tenant, or None.
        role: The role that must be held by row security, or None: no tenant is served.
    """

    def __init__(
        self, scope: Scope, query: Query[Any], text: Text, values: list[Any], *, repeatable: bool
    ) -> None:
        tenant = query.file.tenant or scope.tenant
        self.query = query
        self.text = text
        self.statement = text.statement
        self.values = values
        timeout, own = scope.timeout, text.timeout
        self.timeout = min(timeout, own) if timeout and own else timeout or own
        self.settings: Settings = scope.settings(tenant, self.timeout)
        self.repeatable = repeatable
        self.bound = tenant.parameter if tenant is not None else None
        self.role = tenant.role if tenant is not None and scope.tenant_id is not None else None

    def around(self, statement: WireStatement, values: list[Any]) -> Call:
        """Return the same call sending another statement on its behalf."""
        twin = copy(self)
        twin.statement, twin.values = statement, values
        return twin

    @property
    def step(self) -> Step:
        """The statement with its values."""
        return Step(self.statement, self.values)

    def head(self, *, citus: bool) -> list[Step]:
        """Return what begins the call's transaction."""
        begin = BEGIN_READ_ONLY if self.query.read_only else BEGIN
        return [begin, *scope_steps(self.settings, citus=citus)]

    def unit(self, *, citus: bool) -> list[Step]:
        """Return the whole call as one transaction."""
        return [*self.head(citus=citus), self.step, COMMIT]

    def unit_on_replica(self, *, citus: bool, asks_position: bool) -> list[Step]:
        """Return the whole call for a replica: how far that is, then the statement."""
        scope = scope_steps(self.settings, citus=citus)
        position = [REPLAYED] if asks_position else []
        return [BEGIN_ON_REPLICA, *scope, *position, self.step, COMMIT]


def plan(scope: Scope, query: Query[Any], arguments: Mapping[str, object]) -> Call:
    """Make a call ready.

    Raises:
        TenantRequired: The query needs a tenant and the session has none.
        BadParameter: An argument is missing, unknown or not among a case's values.
    """
    arguments, bound = bind_tenant(scope, query, arguments)
    text = query.texts.choose(arguments)
    return Call(
        scope,
        query,
        text,
        [arguments[name] for name in text.names],
        repeatable=query.read_only or is_idempotent(query.repeat, bound, arguments),
    )


def plan_page(
    scope: Scope, query: Query[Any], arguments: Mapping[str, object], token: str | None
) -> tuple[Call, Cursor | None, PageVariant, int]:
    """Make a call for one page ready; also return its cursor, its variant and the page size."""
    arguments, _ = bind_tenant(scope, query, arguments)
    named = query.texts.named
    cursor = None if token is None else decode(named, token)
    variant = choose_page(named, arguments, cursor, query.not_null)
    text = query.texts.of(variant)
    own = [name for name in text.names if name in arguments]
    values = [arguments[name] for name in own]
    values += cursor.values if cursor is not None else []
    call = Call(scope, query, text, values, repeatable=query.read_only)
    return call, cursor, variant, page_size(variant, arguments)


def bind_tenant(
    scope: Scope, query: Query[Any], arguments: Mapping[str, object]
) -> tuple[Mapping[str, object], str | None]:
    """Return the arguments with the tenant's id, and the name of that parameter."""
    tenant = query.file.tenant or scope.tenant
    bound = tenant.parameter if tenant is not None else None
    if query.tenant:
        if scope.tenant_id is None:
            raise TenantRequired(
                f"`{query.name}` needs a tenant",
                place=query.named.place(),
                cause="the session has none; nothing was sent",
                fix="call it on `db.as_user(id)`",
            )
        if bound in arguments:
            message = f"`{query.name}` takes `{bound}` from the session"
            raise BadParameter(message, str(bound), fix="leave it out of the arguments")
    if bound in query.texts.names and bound not in arguments and scope.tenant_id is not None:
        return {**arguments, bound: scope.tenant_id}, bound
    return arguments, bound
