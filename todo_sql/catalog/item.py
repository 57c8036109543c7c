"""One object of a catalog. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "schema",
    "extension",
    "type",
    "domain",
    "function",
    "sequence",
    "table",
    "column",
    "constraint",
    "index",
    "statistics",
    "view",
    "materialized_view",
    "trigger",
    "rule",
    "policy",
    "event_trigger",
    "publication",
    "other",
    "grant",
    "default_privilege",
    "comment",
    "security_label",
    "database_setting",
)
"""The kinds of object, in an order in which they can be made."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a catalog.

    Attributes:
        kind: One of `KINDS`, or ``role``.
        name: Qualified and quoted, unique within its kind: ``public.tasks.title``.
        parent: Kind and name of the object that it belongs to: ``table public.tasks``.
        attributes: What is compared, by name; None where a thing is as it is by default.
    """

    kind: str
    name: str
    parent: str | None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Kind and name, unique within a snapshot; the rarer kinds say theirs in the name."""
        if self.kind == "other":
            return self.name
        return f"{self.kind.replace('_', ' ')} {self.name}"

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]
