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

revoke execute on function record_change() from public;

create trigger users_record_change after insert or update or delete on users
for each row execute function record_change('id', 'id', '');

create trigger accounts_record_change after insert or update or delete on accounts
for each row execute function record_change('user_id', 'id', '', 'access_token,refresh_token,id_token,password');

create trigger lists_record_change after insert or update or delete on lists
for each row execute function record_change('user_id', 'id', '');

create trigger tasks_record_change after insert or update or delete on tasks
for each row execute function record_change('user_id', 'id', '');

create trigger tags_record_change after insert or update or delete on tags
for each row execute function record_change('user_id', 'id', '');

create trigger task_tags_record_change after insert or update or delete on task_tags
for each row execute function record_change('user_id', 'task_id', 'tag_id');
