-- name: get_user :one
SELECT id, email, name, is_active, created_at
FROM users
WHERE id = :id;

-- name: create_user :one
INSERT INTO users (email, name, password_hash)
VALUES (:email, :name, :password_hash)
RETURNING id, email, name;

-- name: deactivate_user :exec
UPDATE users SET is_active = FALSE WHERE id = :id;

-- name: users_of_team :many
SELECT u.id, u.name, m.role
FROM users u
JOIN memberships m ON m.user_id = u.id
WHERE m.team_id = :team_id
ORDER BY u.name, u.id;
