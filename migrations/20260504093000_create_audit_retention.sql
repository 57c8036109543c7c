-- History must not grow without end, and a person may ask for theirs to be erased.
create function detach_audit_partitions(keep_months integer default 24)
returns setof text
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
    oldest_kept constant text := to_char(
        date_trunc('month', (now() at time zone 'UTC') - make_interval(months => keep_months)), 'YYYY_MM'
    );
    name text;
begin
    if keep_months < 1 then
        raise exception 'keep_months is %, it must be at least 1', keep_months
            using errcode = 'invalid_parameter_value';
    end if;
    for name in
        select c.relname
        from pg_catalog.pg_inherits as i
        inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
        where i.inhparent = 'public.audit_log'::regclass
            and c.relname ~ '^audit_log_\d{4}_\d{2}$'
            and c.relname < 'audit_log_' || oldest_kept
        order by c.relname
    loop
        execute format('alter table public.audit_log detach partition public.%I', name);
        return next name;
    end loop;
end
$$;

comment on function detach_audit_partitions(integer) is
'Detaches months older than that many from audit_log and returns their names; dump and drop them. Gives up after 2 s without its lock.';

create function erase_audit_history(erased_user_id text)
returns bigint
language sql
set search_path = ''
as $$
    with erased as (
        delete from public.audit_log
        where user_id = erased_user_id
        returning id
    )

    select count(*) from erased
$$;

comment on function erase_audit_history(text) is
'Deletes one user''s history from the attached months and returns how many rows; what they did to others'' rows stays.';

revoke execute on function detach_audit_partitions(integer), erase_audit_history(text) from public;
