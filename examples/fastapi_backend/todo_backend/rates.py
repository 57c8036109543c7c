"""How often somebody may ask: a bucket for each key, which refills evenly.

The buckets are this process's own: with several processes a client gets as much of each. A
limit over all of them belongs into the reverse proxy, or into a store that they share.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from starlette.exceptions import HTTPException

# So many keys are remembered; beyond it the one that was quiet for longest is forgotten.
MOST_KEYS = 10_000


class Rate:
    """So many a minute for each key, all of them at once if they were saved up.

    Args:
        per_minute: How many; 0 for no limit.
        clock: Seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, key: str) -> None:
        """Count one request.

        Raises:
            HTTPException: 429, and when to come again.
        """
        if not self.per_minute:
            return
        now = self._clock()
        left, since = self._buckets.pop(key, (float(self.per_minute), now))
        left = min(left + (now - since) * self.per_minute / 60, self.per_minute)
        allowed = left >= 1
        self._buckets[key] = (left - allowed, now)
        if len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = ceil((1 - left) * 60 / self.per_minute)
            raise HTTPException(429, "too many requests", {"Retry-After": str(wait)})
