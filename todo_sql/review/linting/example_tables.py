"""The tables that examples of rules begin with. Pure."""

from __future__ import annotations

TASKS = """\
create table tasks (
    user_id text not null,
    id bigint not null,
    constraint tasks_pkey primary key (user_id, id)
);
comment on table tasks is 'What is to be done.';
comment on column tasks.user_id is 'Whose it is.';
comment on column tasks.id is 'Its number.';
"""
"""Open to everyone."""

_POLICY = "create policy tasks_select_own on tasks for select to todo_app\n"
_OWN = "using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));\n"

HELD_TASKS = f"{TASKS}alter table tasks enable row level security;\n"
"""Under row level security, without a policy."""

OWN_TASKS = f"{HELD_TASKS}{_POLICY}{_OWN}"
"""Whose rows are shown to their owner."""

CITUS_TASKS = f"{HELD_TASKS}{_POLICY}using (user_id = current_user_id());\n"
"""The same as Citus takes it: without a sub-select."""

RANGED_TASKS = f"create type float_range as range (subtype = float8);\n{CITUS_TASKS}"
"""The same beside a type that Citus makes on no other node."""

OWN_LISTS = OWN_TASKS.replace("tasks", "lists")
CITUS_LISTS = CITUS_TASKS.replace("tasks", "lists")

NOTES = """\
create table notes (
    id bigint constraint notes_pkey primary key,
    author text,
    written_at timestamptz
);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who wrote it.';
comment on column notes.written_at is 'When.';
"""
"""Nobody's in particular."""
