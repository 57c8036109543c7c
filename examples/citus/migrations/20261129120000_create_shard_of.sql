-- A trigger of a distributed table fires on the shard, on the node that the row is on, and may
-- touch there what is on that node: the shards of the same tenant. This finds them.
create function shard_of(whole regclass, tenant text)
returns regclass
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    name text;
begin
    if to_regclass('pg_catalog.pg_dist_partition') is null then
        return whole; -- no Citus here
    end if;
    if not exists (select from pg_dist_partition as p where p.logicalrelid = whole and p.partmethod = 'h') then
        return whole;
    end if;
    name := shard_name(whole, get_shard_id_for_distribution_column(whole, tenant));
    return coalesce(to_regclass('public.' || name), to_regclass(name)); -- Citus leaves `public.` out
end
$$;

comment on function shard_of(regclass, text) is
'The shard of a distributed table that holds a tenant''s rows; null where another node has it; the table itself if it is whole.';

revoke execute on function shard_of(regclass, text) from public;
