-- An empty search_path keeps no one out: PostgreSQL looks for types and tables in pg_temp
-- first, unless the path names it. Whoever could fire record_change ran a domain of their
-- own, pg_temp.jsonb, as the owner. So the path names pg_temp, and names it last.
--
-- The functions that run as their caller are pinned as well: a cascade or `on delete set
-- null` fires them as the owner of the table, in the session of whoever deleted.
-- allow: PRS sqlfluff knows no list of values after `alter function … set`
alter function resolve_session(text) set search_path = pg_catalog, pg_temp;

alter function record_change() set search_path = pg_catalog, pg_temp;

alter function advance_identity() set search_path = pg_catalog, pg_temp;

alter function set_updated_at() set search_path = pg_catalog, pg_temp;

alter function create_audit_partition(date) set search_path = pg_catalog, pg_temp;

alter function create_audit_partitions(integer) set search_path = pg_catalog, pg_temp;

alter function detach_audit_partitions(integer) set search_path = pg_catalog, pg_temp;

alter function erase_audit_history(text) set search_path = pg_catalog, pg_temp;
