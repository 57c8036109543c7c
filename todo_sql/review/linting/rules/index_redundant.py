"""An index that another one covers."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import NOTES
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import ModelIndex
from todo_sql.review.linting.tree import shape, shown


def _check(project: Project) -> Hits:
    longer: dict[tuple[str, tuple[str, ...]], list[ModelIndex]] = {}
    for index in project.schema.indexes.values():
        for size in range(1, len(index.keys)):
            longer.setdefault((index.table, index.keys[:size]), []).append(index)
    for index in project.schema.indexes.values():
        for other in longer.get((index.table, index.keys), ()):
            if _covers(other, index):
                yield Hit(index.spot, {"index": shown(index.name), "other": shown(other.name)})
                break


def _covers(longer: ModelIndex, shorter: ModelIndex) -> bool:
    """Return whether an index that begins with the other's keys serves all that it does."""
    if shorter.unique or {longer.method, shorter.method} != {"btree"}:
        return False
    same_order = not longer.orders or longer.orders[: len(shorter.keys)] == shorter.orders
    return (
        same_order
        and set(shorter.include) <= {*longer.keys, *longer.include}
        and shape(longer.where) == shape(shorter.where)
    )


RULE = Rule(
    code="R304",
    name="index-redundant",
    severity="warning",
    message="index {index} is a prefix of {other}",
    cause="whatever the shorter one serves the longer one serves, too; each costs time on every "
    "write",
    fix="drop index {index}",
    bad=NOTES
    + """\
create index idx_notes_author on notes (author);
create index idx_notes_author_written_at on notes (author, written_at);
""",
    good=NOTES
    + """\
create index idx_notes_author_written_at on notes (author, written_at);
""",
    check=_check,
)
