-- A task is in one list or in none. The key carries user_id, so a task cannot be put into
-- another user's list, nor can a user find out whether such a list exists. Not valid yet:
-- checking the rows that are there needs no lock against writers and comes next.
alter table tasks add column list_id bigint;

alter table tasks
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id)
references lists (user_id, id) on delete set null (list_id) not valid;

comment on column tasks.list_id is 'The list it is in; null: none. Deleting a list keeps its tasks.';

grant insert (list_id), update (list_id) on tasks to todo_app;
