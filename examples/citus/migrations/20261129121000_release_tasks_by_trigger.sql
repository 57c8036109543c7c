-- `on delete set null (list_id)` is refused in a key that holds the distribution column: a
-- trigger takes the tasks out of a list that goes, as the foreign key did, as the owner.
-- allow: adding-foreign-key-constraint distributing writes every row anyway, in a pause
-- allow: constraint-missing-not-valid as above
create function release_tasks()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'update %s set list_id = null where user_id = $1 and list_id = $2',
        public.shard_of('public.tasks', old.user_id)
    ) using old.user_id, old.id;
    return old;
end
$$;

comment on function release_tasks() is
'Trigger: takes the tasks of a list that is deleted out of it.';

revoke execute on function release_tasks() from public;

alter table tasks
drop constraint tasks_user_id_list_id_fkey,
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id) references lists (user_id, id);

create trigger lists_release_tasks before delete on lists
for each row execute function release_tasks();
