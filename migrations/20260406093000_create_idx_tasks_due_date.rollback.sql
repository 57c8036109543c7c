-- Takes the indexes away beside the traffic.
-- transactional: false
drop index concurrently idx_tasks_user_id_completed_due_date_id;

drop index concurrently idx_tasks_user_id_due_date_id;
