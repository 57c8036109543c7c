-- Stops the recording; what is recorded stays.
drop trigger task_tags_record_change on task_tags;

drop trigger tags_record_change on tags;

drop trigger tasks_record_change on tasks;

drop trigger lists_record_change on lists;

drop trigger accounts_record_change on accounts;

drop trigger users_record_change on users;

drop function record_change();
