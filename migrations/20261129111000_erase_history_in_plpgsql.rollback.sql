-- As it was: the same, and refused on a distributed table.
create or replace function erase_audit_history(erased_user_id text)
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    with erased as (
        delete from public.audit_log
        where user_id = erased_user_id
        returning id
    )

    select count(*) from erased
$$;
