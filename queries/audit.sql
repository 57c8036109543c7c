-- What happened to a user's rows, written by triggers.

-- name: list_history :many -> AuditEntry
-- List changes of the user's rows, latest first.
-- params: HistoryQuery (table_name, since, before, limit)
-- param: limit = 50
-- allow: C122 few tables have a history: at worst one user's is gone through
select occurred_at, table_name, operation, row_id, public_id, changes, actor_id
from audit_log
where user_id = :user_id
    and table_name = :table_name                                            -- if: table_name
    and occurred_at >= :since                                               -- if: since
    and occurred_at < :before                                               -- if: before
order by occurred_at desc, id desc
limit :limit;

-- name: list_row_history :many -> AuditEntry
-- List what happened to one row, also after it was deleted, latest first.
-- param: limit = 50
select occurred_at, table_name, operation, row_id, public_id, changes, actor_id
from audit_log
where user_id = :user_id
    and public_id = :public_id
    and public_id is not null
order by occurred_at desc, id desc
limit :limit;
