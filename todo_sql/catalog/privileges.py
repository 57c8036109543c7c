"""The statements that grant and revoke. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, on_this_database, role, table_of
from todo_sql.catalog.snapshot import Snapshot


def grant(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield the statements that make a grant item."""
    yield from grants(item, item["granted"], item["revoked"], snapshot)


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
    who = role(item["grantee"])
    plain, passed = _divided(granted)
    dropped = [part for parts in _divided(revoked) for part in parts]
    for privileges, verb, end in (
        (dropped, "revoke", f"from {who}"),
        (plain, "grant", f"to {who}"),
        (passed, "grant", f"to {who} with grant option"),
    ):
        if not privileges:
            continue
        what = ", ".join(privilege + column for privilege in privileges)
        if on == "database":
            yield on_this_database(f"{verb} {what} on database", end)
        else:
            yield f"{verb} {what} on {on} {end}"


def default_privilege(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield the statements that make a default privilege item."""
    head = "alter default privileges"
    if item["owner"] != "current_user":
        head += f" for role {role(item['owner'])}"
    if item["schema"]:
        head += f" in schema {item['schema']}"
    who = role(item["grantee"])
    revoked = ", ".join(part for parts in _divided(item["revoked"]) for part in parts)
    if revoked:
        yield f"{head} revoke {revoked} on {item['target']} from {who}"
    plain, passed = _divided(item["granted"])
    if plain:
        yield f"{head} grant {', '.join(plain)} on {item['target']} to {who}"
    if passed:
        yield (f"{head} grant {', '.join(passed)} on {item['target']} to {who} with grant option")


def _divided(granted: str | None) -> tuple[list[str], list[str]]:
    """Return the privileges of a list, and those among it that may be passed on."""
    end = " with grant option"
    every = [part for part in (granted or "").split(", ") if part]
    return (
        [part for part in every if not part.endswith(end)],
        [part.removesuffix(end) for part in every if part.endswith(end)],
    )
