-- Sixteen tables in place of one: each is vacuumed by itself, and has indexes of its own. A query
-- of one user goes to one of them, since each names its user.
--
-- Every row is written anew under the table's lock: readers and writers wait (docs/scale.md). What
-- is dropped has been copied, and names are the same behind it.
-- lock-timeout: 10s
-- max-lock-hold: 2h
alter table task_tags drop constraint task_tags_user_id_task_id_fkey;

alter table tasks rename to tasks_before;

create table tasks (like tasks_before including defaults including identity including comments)
partition by hash (user_id);

do $$
begin
    for n in 0..15 loop
        execute format(
            'create table tasks_%s partition of tasks for values with (modulus 16, remainder %s)',
            to_char(n, 'FM00'), n
        );
        execute format('comment on table tasks_%s is %L', to_char(n, 'FM00'), 'Partition of tasks: one user in sixteen.');
        execute format('alter table tasks_%s enable row level security', to_char(n, 'FM00'));
    end loop;
end
$$;

insert into tasks
(user_id, id, public_id, title, description, completed, created_at, updated_at, list_id, due_date, priority, deleted_at)
select
    user_id,
    id,
    public_id,
    title,
    description,
    completed,
    created_at,
    updated_at,
    list_id,
    due_date,
    priority,
    deleted_at
from tasks_before;

select setval(pg_get_serial_sequence('tasks', 'id'), s.last_value, s.is_called)
from tasks_id_seq as s;

drop table tasks_before;

alter sequence tasks_id_seq1 rename to tasks_id_seq;

alter table tasks
alter column title set statistics 0,
alter column description set statistics 0;

alter table tasks
add constraint tasks_pkey primary key (user_id, id),
add constraint tasks_user_id_public_id_key unique (user_id, public_id),
add constraint tasks_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id)
references lists (user_id, id) on delete set null (list_id),
add constraint tasks_title_check check (char_length(title) between 1 and 200),
add constraint tasks_description_check check (char_length(description) <= 1000),
add constraint tasks_priority_check check (priority in ('low', 'medium', 'high'));

create index idx_tasks_user_id_list_id_created_at_id
on tasks (user_id, list_id, created_at desc, id desc);

create index idx_tasks_user_id_created_at_id_live
on tasks (user_id, created_at desc, id desc) where deleted_at is null;

create index idx_tasks_user_id_completed_created_at_id_live
on tasks (user_id, completed, created_at desc, id desc) where deleted_at is null;

create index idx_tasks_user_id_due_date_id_live
on tasks (user_id, due_date, id) where deleted_at is null;

create index idx_tasks_user_id_completed_due_date_id_live
on tasks (user_id, completed, due_date, id) where deleted_at is null;

create index idx_tasks_user_id_deleted_at_id_deleted
on tasks (user_id, deleted_at desc, id desc) where deleted_at is not null;

comment on index idx_tasks_user_id_list_id_created_at_id is
'Serves list_tasks and page_tasks of one list by age; the foreign key to lists.';
comment on index idx_tasks_user_id_created_at_id_live is
'Serves list_tasks, page_tasks and search_tasks: a user''s tasks by age.';
comment on index idx_tasks_user_id_completed_created_at_id_live is
'Serves list_tasks, page_tasks and count_tasks with a status: open or completed tasks by age.';
comment on index idx_tasks_user_id_due_date_id_live is
'Serves list_tasks and page_tasks by due date, and those due before a time.';
comment on index idx_tasks_user_id_completed_due_date_id_live is
'Serves list_tasks and page_tasks with a status by due date: what is to be done next.';
comment on index idx_tasks_user_id_deleted_at_id_deleted is
'Serves list_deleted_tasks and purge_tasks: the bin, last deleted first.';
comment on table tasks is 'What a user wants to get done.';

alter table task_tags
add constraint task_tags_user_id_task_id_fkey foreign key (user_id, task_id)
references tasks (user_id, id) on delete cascade;

create trigger tasks_set_updated_at before update on tasks
for each row when (old.* is distinct from new.*)
execute function set_updated_at();

create trigger tasks_record_change after insert or update or delete on tasks
for each row execute function record_change('user_id', 'id', '');

create trigger tasks_advance_identity after insert on tasks
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();

alter table tasks enable row level security;

grant select, delete on tasks to todo_app;
grant
insert (
    user_id, public_id, title, description, completed, created_at, updated_at, list_id, due_date, priority, deleted_at
),
update (public_id, title, description, completed, updated_at, list_id, due_date, priority, deleted_at)
on tasks to todo_app;
grant select on tasks to todo_readonly;

create policy tasks_select_own on tasks for select to todo_app
using (user_id = current_user_id());

create policy tasks_insert_own on tasks for insert to todo_app
with check (user_id = current_user_id());

create policy tasks_update_own on tasks for update to todo_app
using (user_id = current_user_id())
with check (user_id = current_user_id());

create policy tasks_delete_own on tasks for delete to todo_app
using (user_id = current_user_id());

create policy tasks_select_all on tasks for select to todo_readonly using (true);
