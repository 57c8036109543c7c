-- updated_at is kept by the database, so that every writer, psql included, tells the truth.
create function set_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

comment on function set_updated_at() is
'Trigger: sets updated_at. Its triggers say `when (old.* is distinct from new.*)`, so that an update that changes nothing leaves it alone.';

revoke execute on function set_updated_at() from public;
