-- Nearly every query asks for tasks that are not deleted: indexes of those alone, and one of
-- the deleted ones for the bin; built beside the traffic.
-- transactional: false
create index concurrently idx_tasks_user_id_created_at_id_live
on tasks (user_id, created_at desc, id desc) where deleted_at is null;

create index concurrently idx_tasks_user_id_completed_created_at_id_live
on tasks (user_id, completed, created_at desc, id desc) where deleted_at is null;

create index concurrently idx_tasks_user_id_due_date_id_live
on tasks (user_id, due_date, id) where deleted_at is null;

create index concurrently idx_tasks_user_id_completed_due_date_id_live
on tasks (user_id, completed, due_date, id) where deleted_at is null;

create index concurrently idx_tasks_user_id_deleted_at_id_deleted
on tasks (user_id, deleted_at desc, id desc) where deleted_at is not null;
