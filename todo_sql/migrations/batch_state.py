"""How far a statement that runs in batches has come: what the ledger keeps of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

FIRST_SIZE, SMALLEST, LARGEST = 1_000, 100, 50_000

Bound = tuple[str, ...]
"""The values of a key, as text."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far the batches have come.

    Attributes:
        table: The table whose key is walked along.
        key: The columns of the key.
        last: The key at which they end; None: the table was empty.
        position: The last key that is done; None: none is.
        rows: How many rows the statement has changed.
        keys: How many keys this round has passed.
        batches: How many batches were done.
        seconds: How long all that took, pauses included.
        size: How many keys the next batch has.
        estimate: How many keys there are, by the planner.
        round: From 1; another begins at the first key.
        limited: Whether rows behind the last key are no matter: a rollback of what was half done.
    """

    table: str
    key: tuple[str, ...]
    last: Bound | None
    position: Bound | None = None
    rows: int = 0
    keys: int = 0
    batches: int = 0
    seconds: float = 0.0
    size: int = FIRST_SIZE
    estimate: int = 0
    round: int = 1
    limited: bool = False

    @classmethod
    def load(cls, document: Mapping[str, Any] | None) -> Self | None:
        """Read what `dump` returned."""
        if document is None:
            return None
        found = dict(document)
        for name in ("key", "last", "position"):
            found[name] = None if found[name] is None else tuple(found[name])
        return cls(**found)

    def dump(self) -> dict[str, Any]:
        """Return what the ledger keeps, for JSON."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}

    @property
    def count(self) -> int:
        """How many batches are left, at the size of the next."""
        return -(-max(0, self.estimate - self.keys) // self.size)

    def foreseen(self) -> dict[str, Any]:
        """Return what is known before the next batch, for JSON."""
        found = {"table": self.table, "key": list(self.key)}
        return found | {"rows": self.estimate, "batches": self.count}

    @property
    def begun(self) -> bool:
        """Whether anything is done."""
        return self.position is not None or self.round > 1

    @property
    def done_to(self) -> Bound | None:
        """The last key of those that are done in some round."""
        return self.position if self.round == 1 else self.last

    @property
    def share(self) -> float:
        """How much of this round is done, from 0 to 1; an estimate, so less than 1."""
        return min(0.99, self.keys / max(1, self.estimate, self.keys))

    @property
    def seconds_left(self) -> float | None:
        """How long the rest of this round may take, or None where nothing is done."""
        return self.seconds * (1 - self.share) / self.share if self.keys else None

    def __str__(self) -> str:
        again = "" if self.round == 1 else " of another round"
        return f"{self.share:.0%}{again}, {self.keys:,} of about {self.estimate:,} rows"

    def resized(self, seconds: float, target: float) -> int:
        """Return the size of the next batch, where one of this size took so long."""
        factor = min(1.5, max(0.5, target / max(seconds, 0.001)))
        return min(LARGEST, max(SMALLEST, round(self.size * factor)))
