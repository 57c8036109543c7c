-- PostgreSQL cannot take a validation back, so the constraint is made anew, not valid.
alter table tasks drop constraint tasks_user_id_list_id_fkey;

alter table tasks
add constraint tasks_user_id_list_id_fkey foreign key (user_id, list_id)
references lists (user_id, id) on delete set null (list_id) not valid;
