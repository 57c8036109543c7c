-- Citus hands a grant on a table on to its shards, and none on columns. So the tables keep their
-- grants on columns, which the coordinator checks, and the shards let in a role that has whole
-- tables: on the nodes, and nowhere else, the application is a member of it.
do $$
begin
    create role todo_shards nologin;
exception
    when duplicate_object or unique_violation then
        null; -- made by another database of this cluster
end
$$;

grant usage on schema public to todo_shards;
grant select, insert, update, delete on lists, tasks, tags, task_tags to todo_shards;

-- Run again after a node was added.
create function grant_on_nodes()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    failed text;
begin
    if to_regclass('pg_catalog.pg_dist_node') is null then
        return; -- no Citus here
    end if;
    select w.result into failed
    from run_command_on_workers(
        'do $do$ begin set local citus.enable_ddl_propagation = off; grant todo_shards to todo_app; end $do$'
    ) as w
    where not w.success
    limit 1;
    if failed is null then
        select p.result into failed
        from run_command_on_placements(
            'public.users',
            'grant select (id, name, image) on %1$s to todo_app; grant select (id, name, created_at) on %1$s to todo_readonly'
        ) as p
        where not p.success
        limit 1;
    end if;
    if failed is not null then
        raise exception 'a node refused: %', failed;
    end if;
end
$$;

comment on function grant_on_nodes() is
'Lets todo_app and todo_readonly reach the shards on every node; run it again after a node was added.';

revoke execute on function grant_on_nodes() from public;
