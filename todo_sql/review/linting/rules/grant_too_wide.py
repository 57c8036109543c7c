"""A grant of more than an application needs."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, roles, strings

_TOO_WIDE = ("truncate", "references", "trigger", "maintain")


def _check(project: Project) -> Hits:
    for spot, command in project.commands("grant_stmt"):
        if not command.is_grant:
            continue
        kind, who = enum(command, "objtype"), roles(command.grantees)
        privileges = [node.access_priv.priv_name for node in command.privileges]
        wide = []
        if kind == "OBJECT_TABLE":
            wide = [name for name in privileges if name in _TOO_WIDE]
            if not privileges:
                wide.append("every privilege")
            if "public" in who:
                wide += [name for name in privileges if name not in wide]
        elif (
            kind == "OBJECT_SCHEMA"
            and (not privileges or "create" in privileges)
            and not project.schema.on_path.issuperset(strings(command.objects))  # else R207
        ):
            wide.append("create in a schema")
        if command.grant_option:
            wide.append("the right to grant on")
        if wide:
            yield Hit(spot, {"what": ", ".join(wide), "who": ", ".join(who)})


RULE = Rule(
    code="R203",
    name="grant-too-wide",
    severity="error",
    message="{what} is granted to {who}",
    cause="truncate and references bypass row level security, trigger runs code as whoever "
    "writes, and everyone includes roles that come later",
    fix="grant select, insert, update, delete to a role, by name",
    bad="""\
grant all on tasks to todo_app;
""",
    good="""\
grant select, insert, update, delete on tasks to todo_app;
""",
    check=_check,
)
