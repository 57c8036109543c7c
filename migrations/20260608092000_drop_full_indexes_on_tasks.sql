-- The indexes of live tasks serve every query that these served.
-- transactional: false
drop index concurrently idx_tasks_user_id_created_at_id;

drop index concurrently idx_tasks_user_id_completed_created_at_id;

drop index concurrently idx_tasks_user_id_due_date_id;

drop index concurrently idx_tasks_user_id_completed_due_date_id;
