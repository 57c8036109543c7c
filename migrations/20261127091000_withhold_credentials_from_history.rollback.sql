-- Records addresses, account ids and scopes again, for every reader of the history.
alter policy audit_log_select_all on audit_log using (true);

comment on column audit_log.changes is
'insert: the row as made; delete: as it was; update: each column that changed as [before, after]. Without secrets. Personal data.';

create or replace trigger accounts_record_change after insert or update or delete on accounts
for each row execute function record_change('user_id', 'id', '', 'access_token,refresh_token,id_token,password');

create or replace trigger users_record_change after insert or update or delete on users
for each row execute function record_change('id', 'id', '');

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
    secret constant text[] := string_to_array(coalesce(tg_argv[3], ''), ',');
    changes jsonb;
begin
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(
                a.key,
                case
                    when a.key = any(secret) then '["(secret)", "(secret)"]'
                    else jsonb_build_array(before -> a.key, a.value)
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
            entry - tg_argv[0] - tg_argv[1] - tg_argv[2] - 'public_id' - 'updated_at' - secret
        );
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

comment on function record_change() is
'Trigger: writes audit_log. Arguments: tenant column, key column, second key column or empty, secret columns (comma-separated).';
