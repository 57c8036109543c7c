-- Users delete by mistake: a deleted task can be restored until it is purged. The condition
-- stands in the queries, not in the policies: a policy that hid deleted rows would refuse
-- the update that deletes one.
alter table tasks add column deleted_at timestamptz;

comment on column tasks.deleted_at is 'When the user deleted it; null: not deleted. Restorable until purged.';

grant insert (deleted_at), update (deleted_at) on tasks to todo_app;
