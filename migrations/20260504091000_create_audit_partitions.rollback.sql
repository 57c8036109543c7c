-- Loses the history that is attached; months that were detached before stay.
do $$
declare
    partition_name text;
begin
    for partition_name in
        select i.inhrelid::regclass::text
        from pg_catalog.pg_inherits as i
        where i.inhparent = 'audit_log'::regclass
    loop
        execute 'drop table ' || partition_name;
    end loop;
end
$$;

drop function create_audit_partitions(integer);

drop function create_audit_partition(date);
