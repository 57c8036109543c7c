"""What large bodies cost the example: seconds, and the memory of its process.

    python benchmarks/bodies.py                 20 MB of CSV; 150 MB without a cookie
    python benchmarks/bodies.py --csv-mb 5      a smaller file

The backend is one uvicorn process on a database of its own. Its memory is what Linux counts
as resident, at its highest point during the request; nothing else is asked of it meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from backend import Side, backend, template

from todo_sql.embedded.temporary import temporary_server

MB = 1_000_000


def csv_file(size: int) -> bytes:
    """Return a file of tasks as people have them, some 130 bytes a row, of about this size."""
    head = b"title,description,priority,due_date\n"
    row = b"Task %06d of the quarter,%s,high,2030-01-01T09:00:00Z\n"
    text = b"What is to be done by whom and and where the papers lie"
    rows = (size - len(head)) // len(row % (0, text))
    return head + b"".join(row % (number, text) for number in range(rows))


def resident(pid: int, what: str) -> float:
    """Return megabytes of a process: VmRSS is now, VmHWM the highest since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024 / MB
    raise LookupError(what)


def forget_peak(pid: int) -> None:
    """Let the highest point begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def import_file(side: Side, data: bytes) -> None:
    """Import a file once and print what it cost."""
    client = http.client.HTTPConnection("127.0.0.1", side.port, timeout=300)
    forget_peak(side.pid)
    before = resident(side.pid, "VmRSS")
    started = perf_counter()
    headers = {"Content-Type": "text/csv", "Cookie": side.people[0].cookie}
    client.request("POST", "/api/imports", data, headers)
    answer = client.getresponse()
    said = answer.read().decode()
    seconds = perf_counter() - started
    peak = resident(side.pid, "VmHWM")
    rows = data.count(b"\n") - 1
    print(f"{len(data) / MB:.1f} MB of CSV, {rows} rows: {answer.status} {said}")
    print(f"  {seconds:.1f} s; {before:.0f} MB before, {peak:.0f} MB at the peak")


def refuse(side: Side, path: str, size: int, *, chunked: bool) -> None:
    """Send a body without a cookie and print how much of it was taken, and what it cost."""
    client = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
    forget_peak(side.pid)
    before = resident(side.pid, "VmRSS")
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while sent < size:
            yield bytes(65_536)
            sent += 65_536

    headers = {"Content-Type": "application/json"}
    if not chunked:
        headers["Content-Length"] = str(size)
    with suppress(BrokenPipeError, ConnectionResetError):  # it does not want the rest
        client.request("POST", path, pieces(), headers, encode_chunked=chunked)
    try:
        status = str(client.getresponse().status)
    except (http.client.HTTPException, ConnectionResetError):
        status = "connection closed"
    peak = resident(side.pid, "VmHWM")
    form = "chunked" if chunked else "with its length"
    print(f"{size / MB:.0f} MB to {path}, {form}, no cookie: {status}")
    print(f"  {sent / MB:.1f} MB sent; {before:.0f} MB before, {peak:.0f} MB at the peak")


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--csv-mb", type=float, default=20, help="size of the imported file")
    parser.add_argument("--body-mb", type=float, default=150, help="size of the refused bodies")
    options = parser.parse_args()
    with temporary_server(18) as server:
        users = template(server, people=1, tasks=10)
        with backend(server, "todo-sql", users, pool=4) as side:
            import_file(side, csv_file(1000))  # what is loaded once does not count
            import_file(side, csv_file(int(options.csv_mb * MB)))
            for path in ("/api/tasks", "/api/imports"):
                for chunked in (False, True):
                    refuse(side, path, int(options.body_mb * MB), chunked=chunked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
