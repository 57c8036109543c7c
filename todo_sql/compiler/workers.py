"""Share work out among processes forked from this one, where that pays.

Such a process has at hand all that was read already. What it finds comes back pickled, with
the items that it was given by their number. Where it dies, its part is done here.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
Found = TypeVar("Found")
Work = Callable[[Sequence[Item]], list[Found]]

_LEAST = 1_000
"""The weight of a part that is worth a process: it takes longer than to fork and to sign in."""
_MOST_PROCESSES = 8


def share_out(
    items: Sequence[Item],
    weights: Sequence[int],
    here: Work[Item, Found],
    there: Work[Item, Found],
) -> list[Found]:
    """Return what work on the items finds, in their order.

    Args:
        weights: How much work each is.
        here: Does a part in this process.
        there: Does a part in a process of its own; connections of this one are not for it.
    """
    parts = _parts(items, weights, min(_processors(), sum(weights) // _LEAST))
    if len(parts) < 2:
        return here(items)
    import multiprocessing

    context = multiprocessing.get_context("fork")
    helpers, receivers = [], []
    try:
        for part in parts[1:]:
            receiver, sender = context.Pipe(duplex=False)
            given = there, part, receiver, sender
            process = context.Process(target=_help, args=given, daemon=True)
            with suppress(OSError):  # no more processes: its part is done here
                process.start()
                helpers.append(process)
            sender.close()
            receivers.append((receiver, part))
        found = here(parts[0])
        for receiver, part in receivers:
            theirs = _receive(receiver, part)
            found += here(part) if theirs is None else theirs
        return found
    finally:
        for process in helpers:
            process.terminate()
            process.join()
        for receiver, _ in receivers:
            receiver.close()


def _processors() -> int:
    """Return how many processes may work at once; a process with threads can't be forked."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def _parts(items: Sequence[Item], weights: Sequence[int], most: int) -> list[Sequence[Item]]:
    """Cut items into runs of about the same weight."""
    parts: list[Sequence[Item]] = []
    share, begin, weight = sum(weights) / max(most, 1), 0, 0
    for index, one in enumerate(weights, start=1):
        weight += one
        if weight >= share * (len(parts) + 1) or index == len(weights):
            parts.append(items[begin:index])
            begin = index
    return parts


def _help(
    there: Work[Any, Any], part: Sequence[Any], receiver: Connection, sender: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits is the one to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    receiver.close()  # else the process would never end: nobody reads from it
    with suppress(Exception):  # whatever it is, it is met again, and told, over there
        packed = io.BytesIO()
        _Pickler(packed, part).dump(there(part))
        sender.send_bytes(packed.getvalue())


def _end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that comes."""
    import ctypes
    import multiprocessing

    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # PR_SET_PDEATHSIG, see prctl(2)
    parent = multiprocessing.parent_process()
    if parent is None or os.getppid() != parent.pid:  # it has ended already
        os._exit(1)


def _receive(receiver: Connection, part: Sequence[Any]) -> list[Any] | None:
    """Return what a helper found, or None if it came to nothing."""
    try:
        packed = receiver.recv_bytes()
    except (EOFError, OSError):  # nothing, or cut off in the middle
        return None
    found: list[Any] = _Unpickler(io.BytesIO(packed), part).load()
    return found


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, items: Sequence[Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(item): number for number, item in enumerate(items)}

    def persistent_id(self, obj: Any) -> int | None:
        return self._numbers.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, items: Sequence[Any]) -> None:
        super().__init__(file)
        self._items = items

    def persistent_load(self, pid: int) -> Any:
        return self._items[pid]
