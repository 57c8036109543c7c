"""How long `check` takes: 500 queries with 5,000 variants on a warm scratch database.

And what `check --watch` does when a query of 512 variants is saved with a change in all.

python benchmarks/check.py [--queries 500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.config import Config, load_config
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

ROOT = Path(__file__).parent.parent
ORDER = "order by t.created_at, t.id"
ORDERS = (
    "t.created_at desc, t.id desc",
    "t.due_date, t.id",
    "t.title, t.id",
    "t.priority, t.id",
    "t.id",
)


def query(number: int) -> str:
    """Return one query of ten variants: one optional line, five orders."""
    orders = [f"order by {keys} -- case sort: s{index}" for index, keys in enumerate(ORDERS)]
    lines = "\n".join([orders[0], *(f"-- {order}" for order in orders[1:])])
    return (
        f"-- name: query_{number} :many\n"
        "select t.id, t.title, t.description, t.completed, t.due_date, t.created_at,\n"
        "    l.name as list_name, coalesce(t.description, t.title) as label\n"
        "from tasks as t\n"
        "left join lists as l on l.user_id = t.user_id and l.id = t.list_id\n"
        f"where t.user_id = :user_id and t.deleted_at is null and t.id > {number}\n"
        "    and t.completed = :completed -- if: completed\n"
        f"{lines}\n"
        "limit :limit;\n"
    )


def filtered(number: int) -> str:
    """Return a query of nine optional lines."""
    optional = ("completed", "title", "priority", "list_id", "description")
    lines = [f"    and t.{name} = :{name} -- if: {name}" for name in optional]
    lines += [
        f"    and t.{name} < :{name} -- if: {name}"
        for name in ("due_date", "created_at", "updated_at", "public_id")
    ]
    head, tail = query(number).split("    and t.completed = :completed -- if: completed\n")
    return head + "\n".join([*lines, ORDER, tail[tail.rindex("limit :limit") :]])


def saved(config: Config) -> list[float]:
    """Return how long each of some changes takes to check."""
    times = []
    with connect_migrated(config) as connection:
        compiler = Compiler(connection, config)
        for number in range(10):
            start = time.perf_counter()
            saved = load_text(Source("queries/saved.sql", filtered(number)))
            analysis = compiler.analyse(saved, [examine])
            times.append(time.perf_counter() - start)
            assert analysis.described[0].variants == 512 and not analysis.findings
    return times[1:]


def main() -> None:
    """Print the median of several rounds, the parts of one, and the variants per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    text = "\n".join(query(number) for number in range(arguments.queries))
    config = load_config(ROOT)
    with connect_migrated(config):
        pass  # the template is made once
    times, work = [], []
    for _ in range(arguments.rounds):
        start, used = time.perf_counter(), time.process_time()
        queries = load_text(Source("queries/benchmark.sql", text))
        with connect_migrated(config) as connection:
            analysis = Compiler(connection, config).analyse(queries, [examine])
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - used)
        assert not analysis.findings, analysis.findings[0]
    variants = sum(entry.variants for entry in analysis.described)
    median = statistics.median(times)
    print(f"check: {len(queries)} queries, {variants} variants")
    print(f"median of {arguments.rounds}: {median:.2f} s (best {min(times):.2f} s)")
    print(f"processor time of this process: {statistics.median(work):.2f} s")
    print(f"{variants / median:,.0f} variants per second")
    changes = saved(config)
    print(f"a query of 512 variants, saved: median {statistics.median(changes) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
