-- Showing a list, and deleting one, must find its tasks; built beside the traffic.
-- transactional: false
create index concurrently idx_tasks_user_id_list_id_created_at_id
on tasks (user_id, list_id, created_at desc, id desc);
