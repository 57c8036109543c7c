-- A backend holds the token of a request and needs to know whose it is, before it knows the
-- tenant and without being able to read the tokens of others. (`session_user`, the name
-- that comes to mind, is a reserved word of SQL.)
create function resolve_session(session_token text)
returns table (user_id text, expires_at timestamptz)
language sql
stable
strict
security definer
rows 1
set search_path = ''
as $$
    select s.user_id, s.expires_at
    from public.sessions as s
    where s.token = session_token
        and s.expires_at > statement_timestamp()
$$;

comment on function resolve_session(text) is
'Whose session a token belongs to, and until when: one row, or none if it is unknown or expired.';

revoke execute on function resolve_session(text) from public;
grant execute on function resolve_session(text) to todo_app, todo_auth;
