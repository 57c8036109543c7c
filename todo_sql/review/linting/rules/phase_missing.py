"""What the release at work may break with, in a file that comes before the next one."""

from __future__ import annotations

from todo_sql.review.linting.phasing import phased
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    for file, contracts, statements in phased(project):
        for one in statements:
            if one.contracts and not contracts:
                spot = Spot(file, one.statement.start, one.statement.end)
                yield Hit(spot, {"what": one.contracts})


RULE = Rule(
    code="R413",
    name="phase-missing",
    severity="warning",
    message="the statement {what}, in a file that runs before the release",
    cause="the release that is at work meanwhile may still read or write what it takes away, or "
    "write what it forbids",
    fix="put it into a file that says `-- phase: contract`, which `migrate --phase contract` runs "
    "after the release",
    bad="""\
-- phase: expand
alter table tasks drop column label;
""",
    good="""\
-- phase: contract
alter table tasks drop column label;
""",
    check=_check,
)
