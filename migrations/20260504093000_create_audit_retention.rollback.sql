-- Takes the functions away; detached months stay detached.
drop function erase_audit_history(text);

drop function detach_audit_partitions(integer);
