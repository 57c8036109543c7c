-- An application names a list by its public_id where it puts a task into it. A sub-select among
-- the values of an insert is refused where the tables are distributed, a function is taken.
create function find_list(list_public_id uuid)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select l.id
        from public.lists as l
        where l.user_id = public.current_user_id()
            and l.public_id = list_public_id
    );
end
$$;

comment on function find_list(uuid) is
'The id of one of the user''s lists, by its public_id; null: the user has no such list.';

revoke execute on function find_list(uuid) from public;
grant execute on function find_list(uuid) to todo_app;
