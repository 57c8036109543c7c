"""A schema on the search path in which others may create."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule

_OURSELVES = {"current_user", "current_role", "session_user", "pg_database_owner"}


def _check(project: Project) -> Hits:
    schema = project.schema
    for name in schema.creators.keys() & schema.on_path:
        for role, spot in schema.creators[name].items():
            if role not in _OURSELVES:
                who = "everyone" if role == "public" else role
                yield Hit(spot, {"schema": name, "role": role, "who": who})


RULE = Rule(
    code="R207",
    name="schema-open-on-search-path",
    severity="error",
    message="{who} may create in schema {schema}, which is on the search path",
    cause="a function, operator or type made there that fits a call better than the one that was "
    "meant runs as whoever made the call, the owner and the migrations too",
    fix="revoke create on schema {schema} from {role}, or give the role a schema off the path",
    bad="grant create on schema public to public;\n",
    good="grant usage on schema public to public;\n",
    check=_check,
)
