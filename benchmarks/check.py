"""How long `check` takes: 500 queries with 5,000 variants on a warm scratch database.

python benchmarks/check.py [--queries 500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from todo_sql.compiler.check import check
from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.config import load_config
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

ROOT = Path(__file__).parent.parent
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
            analysis = check(Compiler(connection, config), queries)
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - used)
        assert not analysis.findings, analysis.findings[0]
    variants = sum(entry.variants for entry in analysis.described)
    median = statistics.median(times)
    print(f"check: {len(queries)} queries, {variants} variants")
    print(f"median of {arguments.rounds}: {median:.2f} s (best {min(times):.2f} s)")
    print(f"processor time of this process: {statistics.median(work):.2f} s")
    print(f"{variants / median:,.0f} variants per second")


if __name__ == "__main__":
    main()
