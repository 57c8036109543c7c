-- A month without a partition would make every write fail: so there is a default one, a
-- year of months made here, and a function that makes the next ones (todo-sql doctor
-- complains when fewer than two lie ahead).
create function create_audit_partition(month date)
returns text
language plpgsql
set search_path = ''
as $$
declare
    starts constant timestamp := date_trunc('month', month::timestamp);
    name constant text := 'audit_log_' || to_char(starts, 'YYYY_MM');
    lower_bound constant timestamptz := starts at time zone 'UTC';
    upper_bound constant timestamptz := (starts + interval '1 month') at time zone 'UTC';
begin
    -- One caller at a time; writers go on. `partition of` would stop them, `attach` does not.
    lock table public.audit_log in share update exclusive mode;
    if exists (
        select
        from pg_catalog.pg_inherits as i
        where i.inhparent = 'public.audit_log'::regclass
            and i.inhrelid = to_regclass(format('public.%I', name))
    ) then
        return null;
    end if;

    execute format('create table public.%I (like public.audit_log including all excluding identity)', name);
    execute format('comment on table public.%I is %L', name, format('Partition of audit_log: %s (UTC).',
        to_char(starts, 'YYYY-MM')));
    -- Policies do not reach the partitions: read directly they show nothing, to nobody.
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on public.%I from public, todo_app, todo_readonly, todo_auth', name);

    -- Changes that came before their month had a partition.
    if to_regclass('public.audit_log_default') is not null then
        lock table public.audit_log_default in access exclusive mode;
        execute format(
            'with moved as (
                delete from public.audit_log_default
                where occurred_at >= %1$L and occurred_at < %2$L
                returning *
            )
            insert into public.%3$I select * from moved',
            lower_bound, upper_bound, name
        );
    end if;

    execute format('alter table public.audit_log attach partition public.%I for values from (%L) to (%L)',
        name, lower_bound, upper_bound);
    return name;
end
$$;

comment on function create_audit_partition(date) is
'Makes the partition of audit_log for the month of a date; returns its name, or null if it is there.';

create function create_audit_partitions(months_ahead integer default 3)
returns setof text
language sql
set search_path = ''
as $$
    select made.name
    from generate_series(0, months_ahead) as ahead (months)
    cross join lateral public.create_audit_partition(
        ((now() at time zone 'UTC') + make_interval(months => ahead.months))::date
    ) as made (name)
    where made.name is not null
$$;

comment on function create_audit_partitions(integer) is
'Makes the partitions of audit_log from this month to that many months ahead; returns those it made. Run it monthly.';

revoke execute on function create_audit_partition(date), create_audit_partitions(integer) from public;

create table audit_log_default (like audit_log including all excluding identity);

comment on table audit_log_default is 'Partition of audit_log: what no month takes. Empty while partitions are made in time.';

alter table audit_log_default enable row level security;

revoke all on audit_log_default from public, todo_app, todo_readonly, todo_auth;

alter table audit_log attach partition audit_log_default default;

select create_audit_partition(first_day::date)
from generate_series(timestamp '2026-05-01', timestamp '2027-05-01', interval '1 month') as first_day;
