"""SECURITY DEFINER on a search_path that others can put objects in."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import SchemaModel
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for function in project.schema.functions.values():
        if function.security_definer and (why := _open(function.search_path, project.schema)):
            yield Hit(function.spot, {"function": shown(function.name), "why": why})


def _open(path: tuple[str, ...] | None, schema: SchemaModel) -> str | None:
    """Return how others get their objects into a path, or None."""
    if path is None:
        return "it has its caller's path, who may put any schema first"
    if not any(path):
        return (
            "an empty path does not keep pg_temp out: types and tables are looked up there first "
            "unless the path names it"
        )
    if "$user" in path:
        return '"$user" is whatever schema has the name of the role'
    if "public" in path:
        return "in many databases everyone may create in public"
    if opened := next((name for name in path if schema.creators.get(name)), None):
        return f"{', '.join(schema.creators[opened])} may create in {opened}"
    if "pg_temp" not in path:
        return (
            "the path does not name pg_temp, so types and tables are looked up there first, "
            "before pg_catalog"
        )
    if path.index("pg_temp") < len(path) - 1:
        return "pg_temp, where every caller may create, is not the last of the path"
    return None


RULE = Rule(
    code="R204",
    name="security-definer-search-path",
    severity="error",
    message="function {function} runs as its owner on an open search_path: {why}",
    cause="what a caller puts there under a name that the body uses runs as the owner",
    fix="set search_path = pg_catalog, pg_temp, and qualify every other name in the body",
    bad="""\
create function whoami() returns text
language sql security definer set search_path = '' as $$ select current_user::text $$;
revoke execute on function whoami() from public;
""",
    good="""\
create function whoami() returns text
language sql security definer set search_path = pg_catalog, pg_temp
as $$ select current_user::text $$;
revoke execute on function whoami() from public;
""",
    check=_check,
)
