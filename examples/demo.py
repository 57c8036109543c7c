"""The product at work, in about forty lines: run by `make demo` after migrate and seed.

Everything goes through the typed functions of `todo_sql.todo`, as a backend would use them.
The session decides whose rows there are; nothing here mentions a user again after that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from todo_sql import Database, IntegrityError, NoRow
from todo_sql.todo import lists, tasks
from todo_sql.todo.models import Task

# Chosen by the client: so a create may be repeated, and a second demo adds nothing.
TEA = uuid5(NAMESPACE_URL, "todo-sql/demo/tea")


def show_migrations() -> None:
    """Print what `todo-sql status` knows, in three lines."""
    command = [sys.executable, "-m", "todo_sql", "status", "--json"]
    status = subprocess.run(command, check=True, capture_output=True, text=True)
    applied = [m for m in json.loads(status.stdout)["migrations"] if m["state"] == "applied"]
    print(f"{len(applied)} migrations applied: todo-sql status")
    for migration in (applied[0], applied[-1]):
        print(f"  {migration['id']:<46} {migration['duration_ms']} ms")


def show(heading: str, found: list[Task]) -> None:
    """Print a heading and a line for each task."""
    print(f"\n{heading}")
    for task in found:
        due = f"due {task.due_date:%d %b}" if task.due_date else ""
        print(f"  [{'x' if task.completed else ' '}] {task.title:<32} {task.priority:<7} {due}")


def main() -> None:
    """Show what was applied, two users' tasks, a filter, pages, an update, and refusals."""
    show_migrations()
    with Database.connect() as db:
        ada, grace = db.as_user("ada"), db.as_user("grace")

        show("Ada's tasks: tasks.list_tasks(ada)", tasks.list_tasks(ada))
        show("Grace's, by the same function: tasks.list_tasks(grace)", tasks.list_tasks(grace))

        show(
            'A filter and a sort: tasks.list_tasks(ada, completed=False, sort="due")',
            tasks.list_tasks(ada, completed=False, sort="due"),
        )

        first = tasks.page_tasks(ada, limit=2)
        show("A page of two: tasks.page_tasks(ada, limit=2)", first.items)
        if first.next is not None:
            second = tasks.page_tasks(ada, limit=2, cursor=first.next)
            show("The next: tasks.page_tasks(ada, limit=2, cursor=page.next)", second.items)

        tea = tasks.create_task(ada, title="Drink tea", public_id=TEA, description="Earl Grey")
        again = tasks.create_task(ada, title="Drink tea", public_id=TEA)
        print(f"\nA create repeated with the same public_id is one task: {tea.id == again.id}")

        with ada.transaction() as tx:  # two statements, one transaction
            tasks.update_task(tx, id=tea.id, priority="high", description=None)
            tea = tasks.complete_task(tx, id=tea.id)
        print(
            f"Updated: priority {tea.priority}, description {tea.description}, done {tea.completed}"
        )

        print("\nWhat Grace may not do with Ada's rows:")
        refused(lambda: tasks.get_task(grace, id=tea.id), "read the task")
        refused(lambda: tasks.delete_task(grace, public_id=TEA), "delete the task")
        home = lists.list_lists(ada)[0]
        refused(lambda: tasks.create_task(grace, title="Spy", list_id=home.id), "use the list")


def refused(call: Callable[[], object], what: str) -> None:
    """Make a call that must be refused, and print how it was."""
    try:
        call()
    except (NoRow, IntegrityError) as error:
        print(f"  {what:<18} {type(error).__name__}: {error.finding.message}")
    else:
        raise SystemExit(f"isolation is broken: {what}")


if __name__ == "__main__":
    main()
