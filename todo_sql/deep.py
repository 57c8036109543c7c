"""Runs what goes deeper than Python's and the thread's usual stack, in a thread with its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_LEVELS = 400_000  # of Python
_STACK = 512 << 20  # bytes; only what is used takes memory
_LOCK = threading.Lock()


def deeply(run: Callable[[], T], stack: int = _STACK) -> T:
    """Return what a function returns, run with a deep stack.

    Args:
        run: The function.
        stack: Bytes of the stack.
    """
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(run())
        except BaseException as error:
            done.set_exception(error)

    with _LOCK:
        before = threading.stack_size(stack & ~0xFFFF)
        try:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
    levels = sys.getrecursionlimit()
    sys.setrecursionlimit(max(levels, _LEVELS))
    try:
        thread.join()
    finally:
        sys.setrecursionlimit(levels)
    return done.result()
