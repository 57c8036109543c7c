-- Brings every row back to the coordinator. Writers wait.
-- lock-timeout: 10s
-- max-lock-hold: 1h
-- allow: adding-foreign-key-constraint every row is written anyway, in a pause
-- allow: constraint-missing-not-valid as above
alter table task_tags
drop constraint task_tags_user_id_task_id_fkey,
drop constraint task_tags_user_id_tag_id_fkey;

alter table tasks
drop constraint tasks_user_id_list_id_fkey,
drop constraint tasks_user_id_fkey;

alter table lists drop constraint lists_user_id_fkey;

alter table tags drop constraint tags_user_id_fkey;

alter table accounts drop constraint accounts_user_id_fkey;

alter table sessions drop constraint sessions_user_id_fkey;

do $$
declare
    name text;
begin
    if to_regproc('pg_catalog.undistribute_table') is null then
        return; -- no Citus here
    end if;
    set local citus.enable_unsafe_triggers = on;
    set local citus.multi_shard_modify_mode = 'sequential';
    foreach name in array array['audit_log', 'task_tags', 'tags', 'tasks', 'lists', 'sessions', 'accounts', 'users'] loop
        perform undistribute_table('public.' || name);
    end loop;
end
$$;

alter table accounts
add constraint accounts_user_id_fkey foreign key (user_id) references users (id) on delete cascade;

alter table sessions
add constraint sessions_user_id_fkey foreign key (user_id) references users (id) on delete cascade;

alter table lists
add constraint lists_user_id_fkey foreign key (user_id) references users (id) on delete cascade;

alter table tags
add constraint tags_user_id_fkey foreign key (user_id) references users (id) on delete cascade;

alter table tasks
add constraint tasks_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id) references lists (user_id, id);

alter table task_tags
add constraint task_tags_user_id_task_id_fkey foreign key (user_id, task_id)
references tasks (user_id, id) on delete cascade,
add constraint task_tags_user_id_tag_id_fkey foreign key (user_id, tag_id)
references tags (user_id, id) on delete cascade;

create trigger lists_advance_identity after insert on lists
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();

create trigger tasks_advance_identity after insert on tasks
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();

create trigger tags_advance_identity after insert on tags
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();
