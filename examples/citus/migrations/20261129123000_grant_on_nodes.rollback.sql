drop function grant_on_nodes();

revoke select, insert, update, delete on lists, tasks, tags, task_tags from todo_shards;
revoke usage on schema public from todo_shards;

do $$
begin
    drop role todo_shards;
exception
    when dependent_objects_still_exist then
        null; -- another database of this cluster has it
end
$$;
