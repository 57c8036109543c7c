"""How the fix of a finding names `todo-sql rewrite`. Pure."""

from __future__ import annotations


def by_rewrite(id: str, by_hand: str | None) -> str:
    """Return a fix that names the command for a migration, and then what to do by hand.

    Args:
        id: Of the migration.
        by_hand: The fix without the command, if there is one.
    """
    said = f"`todo-sql rewrite {id}` makes safe steps of it"
    return f"{said}; by hand: {by_hand}" if by_hand else said
