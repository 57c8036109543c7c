-- Checks the tasks that were there before the foreign key, while others go on writing.
alter table tasks validate constraint tasks_user_id_list_id_fkey;
