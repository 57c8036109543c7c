-- name: lock_session :one
select pg_try_advisory_lock(:key);

-- name: zone :exec
set timezone = 'Asia/Tokyo';

