-- Tasks that were deleted would come back to life, so they are purged first; what they were
-- stays in the history.
delete from tasks
where deleted_at is not null;

alter table tasks drop column deleted_at;
