-- Takes the comments away.
comment on index idx_tasks_user_id_list_id_created_at_id is null;
comment on index idx_tasks_user_id_created_at_id_live is null;
comment on index idx_tasks_user_id_completed_created_at_id_live is null;
comment on index idx_tasks_user_id_due_date_id_live is null;
comment on index idx_tasks_user_id_completed_due_date_id_live is null;
comment on index idx_tasks_user_id_deleted_at_id_deleted is null;
