"""Other tools' numbers as versions of ours: fourteen digits that keep the order. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain, count

_FORMAT = "%Y%m%d%H%M%S"
_LATEST = 99_999_999_999_999


def versions(given: Iterable[str], after: str = "") -> list[str]:
    """Return a version for each of a history's, rising in their order.

    What is a time stays one: fourteen digits, twelve, eight, seconds or milliseconds since
    1970, seventeen digits. A number keeps its value. Anything else, and what would not rise,
    is counted on from the one before.

    Args:
        given: The digits of each, or "".
        after: All come after this version.
    """
    found = []
    last = after
    for digits in given:
        wanted = _natural(digits)
        last = wanted if wanted > last else _next(last)
        found.append(last)
    return found


def _natural(digits: str) -> str:
    if not digits.isascii() or not digits.isdigit():
        return ""
    if len(digits) in (8, 12, 14) and _is_time(digits.ljust(14, "0")):
        return digits.ljust(14, "0")
    if len(digits) == 17 and _is_time(digits[:14]):
        return digits[:14]
    if len(digits) in (10, 13) and digits[0] == "1":
        seconds = int(digits) if len(digits) == 10 else int(digits) // 1000
        return datetime.fromtimestamp(seconds, UTC).strftime(_FORMAT)
    return f"{int(digits):014}" if int(digits) <= _LATEST else ""


def _is_time(digits: str) -> bool:
    try:
        return datetime.strptime(digits, _FORMAT).year > 1970
    except ValueError:
        return False


def _next(last: str) -> str:
    if last and _is_time(last):
        return (datetime.strptime(last, _FORMAT) + timedelta(seconds=1)).strftime(_FORMAT)
    return f"{int(last or 0) + 1:014}"


def slug(name: str) -> str:
    """Return a name as the part of a file's name after the version."""
    plain = unicodedata.normalize("NFKD", name)
    words = re.sub(r"[^A-Za-z0-9]+", "_", plain.encode("ascii", "ignore").decode())
    return words.strip("_").lower()[:100].rstrip("_") or "migration"


def unlike(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: with a number behind it, if need be."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)


_NUMBER = re.compile(r"\d+|\D+")


def natural(name: str) -> tuple[tuple[int, str] | tuple[int, int], ...]:
    """Return a key that sorts names by the numbers in them."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in _NUMBER.findall(name))
