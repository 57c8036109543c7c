-- Who is behind a request, before there is a tenant.

-- name: find_session :optional -> SessionUser
-- Return whose session a token belongs to and until when, or nothing if it is unknown or has
-- expired. The backend checks the signature of the cookie first.
-- tenant: none
-- column: user_id not null
-- column: expires_at not null
select user_id, expires_at
from resolve_session(:token);
