"""SECURITY DEFINER that every role may call."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for function in project.schema.functions.values():
        # A trigger function cannot be called, only fired.
        if function.security_definer and function.public and not function.trigger:
            yield Hit(function.spot, {"function": shown(function.name)})


RULE = Rule(
    code="R205",
    name="security-definer-for-everyone",
    severity="warning",
    message="function {function} runs as its owner, and every role may call it",
    cause="a new function is executable by public: each role that can connect gets what the owner "
    "can do in it",
    fix="revoke execute on function {function} from public, then grant it to the role that needs "
    "it",
    bad="""\
create function whoami() returns text
language sql security definer set search_path = pg_catalog, pg_temp as $$ select current_user $$;
""",
    good="""\
create function whoami() returns text
language sql security definer set search_path = pg_catalog, pg_temp as $$ select current_user $$;
revoke execute on function whoami() from public;
""",
    check=_check,
)
