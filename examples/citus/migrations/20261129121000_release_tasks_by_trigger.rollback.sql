-- allow: adding-foreign-key-constraint as it was
-- allow: constraint-missing-not-valid as it was
drop trigger lists_release_tasks on lists;

alter table tasks
drop constraint tasks_user_id_list_id_fkey,
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id) references lists (user_id, id)
on delete set null (list_id);

drop function release_tasks();
