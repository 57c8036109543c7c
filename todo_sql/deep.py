"""Runs what goes deeper than Python's and the thread's usual stack, in a thread with its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
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
    answers: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(run())
        except BaseException as error:
            errors.append(error)

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
    if errors:
        raise errors[0]
    return answers[0]
