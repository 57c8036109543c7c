-- Each optional line fits into the line length without its directive: a line that does not
-- is cut in two, and the directive then binds to the first half.

-- name: untidy :many -> Task
-- A query that a formatter has much to do with.
-- param: limit = 50
SELECT t.id, t.title,
  t.description
FROM tasks AS t
  INNER JOIN lists AS l ON t.user_id = l.user_id AND t.list_id = l.id   -- if: list_id
WHERE t.user_id = :user_id
    AND t.deleted_at IS NULL
  and t.completed = :completed -- if: completed
        and t.due_date < :due_before and t.created_at < :created_at and t.updated_at < :updated_at  -- if: due_before, created_at, updated_at
    -- if: list_id
    and l.id = :list_id
AND   t.title ilike :title                                                                                                    -- if: title
ORDER BY t.created_at DESC, t.id DESC   -- case sort: newest
-- order by t.due_date nulls last, t.id   -- case sort: due
LIMIT :limit;

-- name: patch :one
update tasks set
  title = :title, -- if: title
  description = :description,           -- if: description
  priority = case when :priority = 'a long text that fills the line' then 'low' else 'high' end,  -- if: priority
  updated_at = now()
where user_id = :user_id and id = :id
returning id, title;
