-- The tables of users' rows are distributed by user_id, a user's rows together on one node; users,
-- accounts and sessions are on every node, since their foreign keys and their history need them
-- there. What mails prove (verifications) stays on the coordinator.
--
-- Writers wait until the rows are moved. Before it: docs/scale.md.
-- lock-timeout: 10s
-- max-lock-hold: 1h
-- allow: adding-foreign-key-constraint distributing writes every row anyway, in a pause
-- allow: constraint-missing-not-valid as above
-- An import with ids of its own moves no sequence here: each node has a range of its own.
drop trigger lists_advance_identity on lists;
drop trigger tasks_advance_identity on tasks;
drop trigger tags_advance_identity on tags;

-- Rows that are moved are no change of theirs.
drop trigger users_record_change on users;
drop trigger accounts_record_change on accounts;
drop trigger lists_record_change on lists;
drop trigger tasks_record_change on tasks;
drop trigger tags_record_change on tags;
drop trigger task_tags_record_change on task_tags;

-- A table with an identity is distributed while no foreign key ties it to one that already is.
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
    if to_regproc('pg_catalog.create_distributed_table') is null then
        raise warning 'Citus is not here: the tables stay whole';
        return;
    end if;
    set local citus.enable_unsafe_triggers = on; -- ours stay on the node of their row
    set local citus.multi_shard_modify_mode = 'sequential';
    foreach name in array array['users', 'accounts', 'sessions'] loop
        perform create_reference_table('public.' || name);
    end loop;
    perform create_distributed_table('public.lists', 'user_id', colocate_with => 'none');
    foreach name in array array['tasks', 'tags', 'task_tags', 'audit_log'] loop
        perform create_distributed_table('public.' || name, 'user_id', colocate_with => 'public.lists');
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
add constraint tasks_user_id_fkey foreign key (user_id) references users (id) on delete cascade;

alter table tasks
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id) references lists (user_id, id);

alter table task_tags
add constraint task_tags_user_id_task_id_fkey foreign key (user_id, task_id)
references tasks (user_id, id) on delete cascade;

alter table task_tags
add constraint task_tags_user_id_tag_id_fkey foreign key (user_id, tag_id)
references tags (user_id, id) on delete cascade;

create trigger users_record_change after insert or update or delete on users
for each row execute function record_change('id', 'id', '', 'name,created_at');

create trigger accounts_record_change after insert or update or delete on accounts
for each row execute function record_change('user_id', 'id', '', 'provider_id,created_at');

create trigger lists_record_change after insert or update or delete on lists
for each row execute function record_change('user_id', 'id', '');

create trigger tasks_record_change after insert or update or delete on tasks
for each row execute function record_change('user_id', 'id', '');

create trigger tags_record_change after insert or update or delete on tags
for each row execute function record_change('user_id', 'id', '');

create trigger task_tags_record_change after insert or update or delete on task_tags
for each row execute function record_change('user_id', 'task_id', 'tag_id');
