-- History is written by the database, whoever writes the row, and by nobody else: the
-- application may read its own and change none. Credentials are recorded as changed, never
-- as what they were.
create function record_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    tenant_column constant text := tg_argv[0];
    key_columns constant text[] := string_to_array(tg_argv[1], ',');
    secret_columns constant text[] := string_to_array(coalesce(tg_argv[2], ''), ',');
    before constant jsonb := coalesce(to_jsonb(old), '{}');
    after constant jsonb := coalesce(to_jsonb(new), '{}');
    entry constant jsonb := case when tg_op = 'DELETE' then before else after end;
    changes jsonb;
begin
    select jsonb_object_agg(
            key,
            case
                when key = any(secret_columns) then '["(secret)", "(secret)"]'
                else jsonb_build_array(b.value, a.value)
            end
        )
        into changes
    from jsonb_each(before) as b
    full join jsonb_each(after) as a using (key)
    where nullif(b.value, 'null') is distinct from nullif(a.value, 'null')
        and key <> 'updated_at'
        and (tg_op = 'UPDATE' or key <> all(key_columns || array[tenant_column, 'public_id']));

    if changes is null and tg_op = 'UPDATE' then
        return null; -- nothing but updated_at
    end if;

    insert into public.audit_log (user_id, table_name, operation, row_id, public_id, changes, actor_id)
    values (
        entry ->> tenant_column,
        tg_table_name,
        lower(tg_op),
        (
            select string_agg(entry ->> k.name, '/' order by k.position)
            from unnest(key_columns) with ordinality as k (name, position)
        ),
        (entry ->> 'public_id')::uuid,
        coalesce(changes, '{}'),
        nullif(current_setting('app.current_user_id', true), '')
    );
    return null;
end
$$;

comment on function record_change() is
'Trigger: writes audit_log. Arguments: tenant column; key columns; columns whose values are secret (comma-separated).';

revoke execute on function record_change() from public;

create trigger users_record_change after insert or update or delete on users
for each row execute function record_change('id', 'id');

create trigger accounts_record_change after insert or update or delete on accounts
for each row execute function record_change('user_id', 'id', 'access_token,refresh_token,id_token,password');

create trigger lists_record_change after insert or update or delete on lists
for each row execute function record_change('user_id', 'id');

create trigger tasks_record_change after insert or update or delete on tasks
for each row execute function record_change('user_id', 'id');

create trigger tags_record_change after insert or update or delete on tags
for each row execute function record_change('user_id', 'id');

create trigger task_tags_record_change after insert or update or delete on task_tags
for each row execute function record_change('user_id', 'task_id,tag_id');
