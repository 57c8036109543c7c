-- Opens the way from the application's roles to the owner again: only to go forward anew.
alter function erase_audit_history(text) set search_path = '';

alter function detach_audit_partitions(integer) set search_path = '';

alter function create_audit_partitions(integer) set search_path = '';

alter function create_audit_partition(date) set search_path = '';

alter function set_updated_at() set search_path = '';

alter function advance_identity() set search_path = '';

alter function record_change() set search_path = '';

alter function resolve_session(text) set search_path = '';
