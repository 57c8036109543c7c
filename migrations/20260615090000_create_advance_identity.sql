-- An import may bring its own ids. The sequence behind the identity knows nothing of them
-- and would hand them out again, so it moves beyond the highest. The application has no
-- privilege on id, so its inserts never pay for this.
create function advance_identity()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    sequence_name constant text := pg_get_serial_sequence(format('%I.%I', tg_table_schema, tg_table_name), 'id');
    handed_out bigint;
    highest bigint;
begin
    select max(i.id) into highest from inserted as i;
    execute format('select case when is_called then last_value else last_value - 1 end from %s', sequence_name)
        into handed_out;
    if highest > handed_out then
        perform setval(sequence_name, highest);
    end if;
    return null;
end
$$;

comment on function advance_identity() is
'Trigger: moves the sequence of an identity column beyond ids that an insert brought along.';

revoke execute on function advance_identity() from public;

create trigger lists_advance_identity after insert on lists
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();

create trigger tasks_advance_identity after insert on tasks
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();

create trigger tags_advance_identity after insert on tags
referencing new table as inserted
for each statement when (current_user <> 'todo_app')
execute function advance_identity();
