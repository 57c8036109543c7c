-- Says which query each index serves (specs/database/schema.md shows it). Files that build
-- indexes beside the traffic do nothing else, so it is said here.
comment on index idx_tasks_user_id_list_id_created_at_id is
'Serves list_tasks and page_tasks of one list by age; the foreign key to lists.';
comment on index idx_tasks_user_id_created_at_id_live is
'Serves list_tasks, page_tasks and search_tasks: a user''s tasks by age.';
comment on index idx_tasks_user_id_completed_created_at_id_live is
'Serves list_tasks, page_tasks and count_tasks with a status: open or completed tasks by age.';
comment on index idx_tasks_user_id_due_date_id_live is
'Serves list_tasks and page_tasks by due date, and those due before a time.';
comment on index idx_tasks_user_id_completed_due_date_id_live is
'Serves list_tasks and page_tasks with a status by due date: what is to be done next.';
comment on index idx_tasks_user_id_deleted_at_id_deleted is
'Serves list_deleted_tasks and purge_tasks: the bin, last deleted first.';
