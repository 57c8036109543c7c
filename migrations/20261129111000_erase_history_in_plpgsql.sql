-- A SQL function hands its argument on as a parameter, which a distributed table does not take;
-- PL/pgSQL does the same for both.
create or replace function erase_audit_history(erased_user_id text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    erased bigint;
begin
    delete from public.audit_log
    where user_id = erased_user_id;
    get diagnostics erased = row_count;
    return erased;
end
$$;
