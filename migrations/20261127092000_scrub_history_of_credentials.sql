-- What was recorded of users and accounts before, as it would be recorded now. Months that
-- were detached are out of reach: scrub or drop them by hand (docs/roles.md).
update audit_log
set
    changes = coalesce(
        (
            select
                jsonb_object_agg(c.key, case when c.key = any(k.kept) then c.value else '["(secret)", "(secret)"]' end)
            from jsonb_each(audit_log.changes) as c
            where c.key = any(k.kept) or audit_log.operation = 'update'
        ),
        '{}'
    )
from (
    values
    ('users', array['name', 'created_at']),
    ('accounts', array['provider_id', 'created_at'])
) as k (table_name, kept)
where audit_log.table_name = k.table_name;
