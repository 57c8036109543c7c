-- Takes the indexes away beside the traffic.
-- transactional: false
drop index concurrently idx_tasks_user_id_deleted_at_id_deleted;

drop index concurrently idx_tasks_user_id_completed_due_date_id_live;

drop index concurrently idx_tasks_user_id_due_date_id_live;

drop index concurrently idx_tasks_user_id_completed_created_at_id_live;

drop index concurrently idx_tasks_user_id_created_at_id_live;
