-- Takes the index away beside the traffic.
-- transactional: false
drop index concurrently idx_tasks_user_id_list_id_created_at_id;
