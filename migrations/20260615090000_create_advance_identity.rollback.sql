-- From now on whoever imports ids must move the sequences.
drop trigger tags_advance_identity on tags;

drop trigger tasks_advance_identity on tasks;

drop trigger lists_advance_identity on lists;

drop function advance_identity();
