-- Checks the tasks that were there before the constraint, while others go on writing.
alter table tasks validate constraint tasks_priority_check;
