"""A call made ready: the text that its arguments choose, its values, its scope. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from todo_sql.database.errors import BadParameter, TenantRequired
from todo_sql.database.query import Query
from todo_sql.database.retry import is_idempotent
from todo_sql.database.scope import Scope, Settings, scope_step
from todo_sql.database.statement import BEGIN, BEGIN_READ_ONLY, COMMIT, Step
from todo_sql.database.texts import Text


class Call:
    """One call of a query.

    Attributes:
        query: What is called.
        text: The variant that the arguments choose.
        values: Of ``$1``, ``$2``, …
        settings: What holds during the call.
        timeout: Seconds that it may take, or None: the database's default.
        repeatable: Whether it may be sent twice.
        bound: The parameter that stands for the tenant, or None.
        role: The role that must be held by row security, or None: no tenant is served.
    """

    __slots__ = (
        "bound",
        "query",
        "repeatable",
        "role",
        "settings",
        "text",
        "timeout",
        "values",
    )

    def __init__(
        self,
        query: Query[Any],
        text: Text,
        values: list[Any],
        settings: Settings,
        timeout: float | None,
        repeatable: bool,
        bound: str | None,
        role: str | None,
    ) -> None:
        self.query = query
        self.text = text
        self.values = values
        self.settings = settings
        self.timeout = timeout
        self.repeatable = repeatable
        self.bound = bound
        self.role = role

    @property
    def step(self) -> Step:
        """The statement with its values."""
        return Step(self.text.statement, self.values)

    def unit(self) -> list[Step]:
        """Return the whole call as one transaction."""
        begin = BEGIN_READ_ONLY if self.query.read_only else BEGIN
        if self.settings:
            return [begin, scope_step(self.settings), self.step, COMMIT]
        return [begin, self.step, COMMIT]


def plan(scope: Scope, query: Query[Any], arguments: Mapping[str, object]) -> Call:
    """Make a call ready.

    Raises:
        TenantRequired: The query needs a tenant and the session has none.
        BadParameter: An argument is missing, unknown or not among a case's values.
    """
    tenant = query.file.tenant or scope.tenant
    bound = tenant.parameter if tenant is not None else None
    if query.tenant and scope.tenant_id is None:
        raise TenantRequired(
            f"`{query.name}` needs a tenant",
            place=query.named.place(),
            cause="the session has none; nothing was sent",
            fix="call it on `db.as_user(id)`",
        )
    if query.tenant and bound in arguments:
        raise BadParameter(
            f"`{query.name}` takes `{bound}` from the session",
            str(bound),
            fix="leave it out of the arguments",
        )
    texts = query.texts
    if bound in texts.named.names and bound not in arguments and scope.tenant_id is not None:
        arguments = {**arguments, bound: scope.tenant_id}
    text = texts.choose(arguments)
    timeout = scope.timeout
    if texts.named.timeout is not None:
        timeout = min(timeout or texts.named.timeout, texts.named.timeout)
    return Call(
        query,
        text,
        [arguments[name] for name in text.names],
        scope.settings(query.file.tenant, timeout),
        timeout,
        query.read_only or (bool(text.keys) and is_idempotent(text.keys, bound, arguments)),
        bound,
        tenant.role if tenant is not None and scope.tenant_id is not None else None,
    )
