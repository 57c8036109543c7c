-- Not everything is equally urgent. Text with a check rather than an enum: its comparisons
-- are leakproof, so they stay index conditions under row security. The constant default
-- rewrites nothing; the check covers the rows that are there in the next migration.
alter table tasks add column priority text not null default 'medium';

alter table tasks
add constraint tasks_priority_check check (priority in ('low', 'medium', 'high')) not valid;

comment on column tasks.priority is 'low, medium or high.';

grant insert (priority), update (priority) on tasks to todo_app;
