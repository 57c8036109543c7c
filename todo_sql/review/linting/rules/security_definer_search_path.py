"""SECURITY DEFINER without a search_path of its own."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Iterator[Hit]:
    for function in project.schema.functions.values():
        if function.security_definer and not function.search_path:
            yield Hit(function.spot, {"function": shown(function.name)})


RULE = Rule(
    code="R204",
    name="security-definer-search-path",
    severity="error",
    message="function {function} runs as its owner with its caller's search_path",
    cause=(
        "a caller can put a table or function of the same name first in the path, and have it "
        "run as the owner"
    ),
    fix="add `set search_path = ''` and qualify every name in the body",
    bad="""\
create function whoami() returns text
language sql security definer as $$ select current_user $$;
revoke execute on function whoami() from public;
""",
    good="""\
create function whoami() returns text
language sql security definer set search_path = '' as $$ select current_user $$;
revoke execute on function whoami() from public;
""",
    check=_check,
)
