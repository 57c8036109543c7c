-- Users asked to be reminded: a task may say by when it must be done.
alter table tasks add column due_date timestamptz;

comment on column tasks.due_date is 'By when it must be done; null: whenever.';

grant insert (due_date), update (due_date) on tasks to todo_app;
