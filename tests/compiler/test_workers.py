"""Work shared out among processes: as in one process, whatever becomes of the helpers.

Each case runs in a process of its own: one with threads, as a test's may be, is not forked.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one processor"
)

SCRIPT = """
import contextlib, os, signal, sys, threading, time
from todo_sql.compiler.workers import share_out

def here(part):
    if sys.argv[1] == "sleeps":
        time.sleep(60)
    return [(item, os.getpid()) for item in part]

def dies(part):
    os.kill(os.getpid(), signal.SIGKILL)

def torn(part):  # as of one that is killed while it sends
    for fd in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(fd, (1000).to_bytes(4, "big") + b"some")
    os._exit(1)

def cannot_fork():
    raise BlockingIOError("no more processes")

def sleeps(part):
    print("asleep", flush=True)
    time.sleep(60)

def fails(part):
    raise RuntimeError("no connection")

items = [object() for _ in range(10)]
there = {"unforked": here}.get(sys.argv[1]) or globals()[sys.argv[1]]
if sys.argv[1] == "unforked":
    os.fork = cannot_fork
if "threads" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
found = share_out(items, [int(sys.argv[2])] * 10, here, there)
assert [item for item, _ in found] == items
assert found[0][1] == os.getpid()
print(len({pid for _, pid in found}))
"""


def processes(*words: str) -> int:
    """Return how many processes found something."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    return int(run.stdout)


def test_much_work_is_shared_out_and_comes_back_in_order() -> None:
    """Several processes find something; the items are those that were given."""
    assert processes("here", "500") > 1


@pytest.mark.parametrize("how", ["dies", "torn", "fails", "unforked"])
def test_the_part_of_a_helper_that_comes_to_nothing_is_done_here(how: str) -> None:
    """Killed, or failed: nothing is lost, and nothing is printed."""
    assert processes(how, "500") == 1


def test_little_work_stays_here() -> None:
    """A process would cost more than it saves."""
    assert processes("here", "50") == 1


def test_a_process_with_threads_is_not_forked() -> None:
    """A lock that another thread holds would stay locked for ever."""
    assert processes("here", "500", "threads") == 1


def test_a_helper_ends_with_its_parent() -> None:
    """However that ends: nothing works on, and nothing holds the output open."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "sleeps", "500"], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"asleep\n"
        parent.kill()
        assert parent.communicate(timeout=10)[0] == b""
