-- Takes the roles out of this database; each is dropped only where no other database of
-- the cluster uses it and the migrating role may drop it.
revoke usage on schema public from todo_app, todo_readonly, todo_auth;

do $$
declare
    role_name text;
begin
    foreach role_name in array array['todo_app', 'todo_readonly', 'todo_auth'] loop
        begin
            execute format('drop role %I', role_name);
        exception
            when dependent_objects_still_exist or insufficient_privilege or undefined_object then
                raise notice 'role % stays: %', role_name, sqlerrm;
        end;
    end loop;
end
$$;
