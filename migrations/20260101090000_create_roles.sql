-- Row security needs roles that neither own the tables nor bypass the policies: one that
-- applications act as, one that reads for reports, one for signing in. They carry no
-- password and cannot log in; the operator grants them to logins (docs/roles.md).
--
-- Roles belong to the cluster, not to this database: another database may have made them
-- already, or be making them now, and another owner may administer them.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['todo_app', 'todo_readonly', 'todo_auth'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception
            when duplicate_object or unique_violation then
                null; -- made by another database of this cluster
        end;

        -- A superuser may act as any role; an owner that is none must be a member.
        continue when (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user);
        begin
            if current_setting('server_version_num')::integer >= 160000 then
                execute format('grant %I to current_user with inherit false, set true', role_name);
            else
                execute format('grant %I to current_user', role_name);
            end if;
        exception
            when insufficient_privilege then
                raise warning 'role % exists and % may not administer it', role_name, current_user
                    using hint = format('let its creator run: grant %I to %I', role_name, current_user);
        end;
    end loop;
end
$$;

grant usage on schema public to todo_app, todo_readonly, todo_auth;
