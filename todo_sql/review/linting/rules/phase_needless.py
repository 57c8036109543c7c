"""A contract file that holds only what a release needs before it."""

from __future__ import annotations

from todo_sql.review.linting.phasing import phased
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    for file, contracts, statements in phased(project):
        if not contracts or any(one.contracts for one in statements):
            continue
        first = next((one.statement for one in statements if one.expands), None)
        if first is not None:
            yield Hit(Spot(file, first.start, first.end))


RULE = Rule(
    code="R414",
    name="phase-needless",
    severity="warning",
    message="the file waits for the release, and holds nothing that the release before it minds",
    cause="what the next release needs is not there when it starts",
    fix="remove `-- phase: contract`, or say with a waiver why it waits",
    bad="""\
-- phase: contract
alter table tasks add column label text;
comment on column tasks.label is 'A word for it.';
""",
    good="""\
-- phase: expand
alter table tasks add column label text;
comment on column tasks.label is 'A word for it.';
""",
    check=_check,
)
