-- What the application may know of its user. Signing up, in and out is Better Auth's.

-- name: get_user :one -> UserProfile
-- Return the signed-in user.
select id, name, image
from users
where id = :user_id;
