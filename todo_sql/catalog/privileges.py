"""The statements that grant and revoke. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, listed, on_this_database, role, table_of
from todo_sql.catalog.snapshot import Snapshot


def grants(
    item: Item, granted: str | None, revoked: str | None, snapshot: Snapshot
) -> Iterator[str]:
    """Yield the grant and revoke statements for lists of privileges on a grant's object."""
    column, on = "", item["target"]
    if on.startswith("column "):
        owner = snapshot.items.get(on)
        if owner is None:
            return
        column, on = f" ({column_name(owner)})", f"table {table_of(owner)}"
    on = on.replace("table ", "", 1) if on.startswith("table ") else on
    for verb, privileges, end in _verbs(granted, revoked, item):
        what = ", ".join(privilege + column for privilege in privileges)
        if on == "database":
            yield on_this_database(f"{verb} {what} on database", end)
        else:
            yield f"{verb} {what} on {on} {end}"


def default_privilege(item: Item) -> Iterator[str]:
    """Yield the statements that make a default privilege item."""
    head = "alter default privileges"
    if item["owner"] != "current_user":
        head += f" for role {role(item['owner'])}"
    if item["schema"]:
        head += f" in schema {item['schema']}"
    for verb, privileges, end in _verbs(item["granted"], item["revoked"], item):
        yield f"{head} {verb} {', '.join(privileges)} on {item['target']} {end}"


def _verbs(
    granted: str | None, revoked: str | None, item: Item
) -> Iterator[tuple[str, list[str], str]]:
    """Yield each verb that is needed, its privileges, and how its statement ends."""
    passing, who = " with grant option", role(item["grantee"])
    given = listed(granted)
    taken = [part.removesuffix(passing) for part in listed(revoked)]
    plain = [part for part in given if not part.endswith(passing)]
    passed = [part.removesuffix(passing) for part in given if part.endswith(passing)]
    for verb, privileges, end in (
        ("revoke", taken, f"from {who}"),
        ("grant", plain, f"to {who}"),
        ("grant", passed, f"to {who}{passing}"),
    ):
        if privileges:
            yield verb, privileges, end
