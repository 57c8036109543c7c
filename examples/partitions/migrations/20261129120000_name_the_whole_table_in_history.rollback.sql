-- As it was.
create or replace function record_change()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    before constant jsonb := to_jsonb(old);
    after constant jsonb := to_jsonb(new);
    entry constant jsonb := coalesce(after, before);
    kept constant text[] := string_to_array(tg_argv[3], ',');
    changes jsonb;
begin
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(
                a.key,
                case
                    when kept is null or a.key = any(kept) then jsonb_build_array(before -> a.key, a.value)
                    else '["(secret)", "(secret)"]'
                end
            )
            into changes
        from jsonb_each(after) as a
        where a.value is distinct from before -> a.key and a.key <> 'updated_at';
        if changes is null then
            return null; -- nothing changed, or nothing but updated_at
        end if;
    else
        changes := jsonb_strip_nulls(
            entry - tg_argv[0] - tg_argv[1] - tg_argv[2] - 'public_id' - 'updated_at'
        );
        if kept is not null then
            changes := (
                select coalesce(jsonb_object_agg(c.key, c.value), '{}')
                from jsonb_each(changes) as c
                where c.key = any(kept)
            );
        end if;
    end if;

    insert into public.audit_log (user_id, table_name, operation, row_id, public_id, changes, actor_id)
    values (
        entry ->> tg_argv[0],
        tg_table_name,
        lower(tg_op),
        concat_ws('/', entry ->> tg_argv[1], entry ->> tg_argv[2]),
        (entry ->> 'public_id')::uuid,
        changes,
        nullif(current_setting('app.current_user_id', true), '')
    );
    return null;
end
$$;
