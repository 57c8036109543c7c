-- What is due next is what users look at most; built beside the traffic.
-- transactional: false
create index concurrently idx_tasks_user_id_due_date_id on tasks (user_id, due_date, id);

create index concurrently idx_tasks_user_id_completed_due_date_id on tasks (user_id, completed, due_date, id);
