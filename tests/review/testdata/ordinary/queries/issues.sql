-- name: create_issue :one
INSERT INTO issues (project_id, author_id, title, body)
VALUES (:project_id, :author_id, :title, :body)
RETURNING id;

-- name: close_issue :exec
UPDATE issues
SET status = 'closed', closed_at = now()
WHERE id = :id AND status = 'open';

-- name: list_issues :many
SELECT i.id, i.title, i.status, i.created_at, u.name AS author
FROM issues i
JOIN users u ON u.id = i.author_id
WHERE i.project_id = :project_id
  AND i.status = :status
ORDER BY i.created_at DESC, i.id
LIMIT :limit OFFSET :offset;

-- name: count_by_status :many
SELECT status, count(*) AS issues
FROM issues
WHERE project_id = :project_id
GROUP BY status;

-- name: add_comment :one
INSERT INTO comments (issue_id, author_id, body)
VALUES (:issue_id, :author_id, :body)
RETURNING id, created_at;

-- name: comments_of_issue :many
SELECT c.id, c.body, c.created_at, u.name AS author
FROM comments c
JOIN users u ON u.id = c.author_id
WHERE c.issue_id = :issue_id
ORDER BY c.created_at, c.id;

-- name: delete_comments_before :exec
DELETE FROM comments WHERE created_at < :before;
