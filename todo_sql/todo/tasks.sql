-- A user's tasks. A task is named by its id or, as applications do, by its public_id: give
-- one of them; a call that gives neither finds nothing.

-- name: create_task :one -> Task
-- Create a task. Repeating a call with the same public_id returns the task that is there,
-- so a client that chose the public_id may try again. A list that is not the user's own
-- violates tasks_user_id_list_id_fkey; a public_id that a task in the bin has makes nothing and
-- finds nothing: NoRow.
-- params: TaskCreate (public_id, title, description, priority, due_date, list_public_id)
-- param: public_id uuid? = null
-- param: description text? = null
-- param: priority text = 'medium'
-- param: due_date timestamptz? = null
-- param: list_id bigint? = null
-- param: list_public_id uuid? = null
insert into tasks (user_id, public_id, title, description, priority, due_date, list_id)
values (
    :user_id,
    coalesce(:public_id, gen_random_uuid()),
    :title,
    :description,
    :priority,
    :due_date,
    case
        when :list_public_id::uuid is null then :list_id
        else coalesce((select id from lists where user_id = :user_id and public_id = :list_public_id), -1)
    end
)
on conflict (user_id, public_id) do update
    set public_id = excluded.public_id
    where tasks.deleted_at is null
returning
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id;

-- name: get_task :one -> Task
-- Return a task that is not deleted.
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id
from tasks
where user_id = :user_id
    and deleted_at is null
    and (
        false
        or id = :id                                                         -- if: id
        or public_id = :public_id                                           -- if: public_id
    );

-- name: list_tasks :many -> Task
-- List tasks that are not deleted: newest first, oldest first, or by due date with undated
-- tasks last.
-- params: TaskFilter (completed, priority, list_public_id, due_before, tag_public_id)
-- param: limit = 50
-- param: offset = 0
-- allow: C122 a priority has three values: at worst one user's tasks are gone through
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id
from tasks
where user_id = :user_id
    and deleted_at is null
    and completed = :completed                                              -- if: completed
    and priority = :priority                                                -- if: priority
    and list_id = :list_id                                                  -- if: list_id
    -- if: list_public_id
    and list_id = (select l.id from lists as l where l.user_id = :user_id and l.public_id = :list_public_id)
    and due_date < :due_before                                              -- if: due_before
    and id in (                                                             -- if: tag_public_id
        select tt.task_id                                                   -- if: tag_public_id
        from task_tags as tt                                                -- if: tag_public_id
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id -- if: tag_public_id
        where tt.user_id = :user_id and g.public_id = :tag_public_id        -- if: tag_public_id
    )                                                                       -- if: tag_public_id
order by created_at desc, id desc                                           -- case sort: newest
-- order by created_at, id                                                  -- case sort: oldest
-- order by due_date, id                                                    -- case sort: due
limit :limit offset :offset;

-- name: page_tasks :page -> TaskWithTags
-- Walk through the tasks that list_tasks would list, with the names of their tags. A page costs
-- the same wherever it lies; the numbered pages of list_tasks cost more the further back.
-- params: TaskQuery (completed, priority, list_public_id, due_before, tag_public_id, sort, limit)
-- param: limit = 50
-- allow: C122 a priority has three values: at worst one user's tasks are gone through
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id,
    array(
        select g.name
        from task_tags as tt
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
        where tt.user_id = tasks.user_id and tt.task_id = tasks.id
        order by lower(g.name)
    ) as tags
from tasks
where user_id = :user_id
    and deleted_at is null
    and completed = :completed                                              -- if: completed
    and priority = :priority                                                -- if: priority
    and list_id = :list_id                                                  -- if: list_id
    -- if: list_public_id
    and list_id = (select l.id from lists as l where l.user_id = :user_id and l.public_id = :list_public_id)
    and due_date < :due_before                                              -- if: due_before
    and id in (                                                             -- if: tag_public_id
        select tt.task_id                                                   -- if: tag_public_id
        from task_tags as tt                                                -- if: tag_public_id
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id -- if: tag_public_id
        where tt.user_id = :user_id and g.public_id = :tag_public_id        -- if: tag_public_id
    )                                                                       -- if: tag_public_id
order by created_at desc, id desc                                           -- case sort: newest
-- order by created_at, id                                                  -- case sort: oldest
-- order by due_date, id                                                    -- case sort: due
limit :limit;

-- name: count_tasks :one
-- Count tasks that are not deleted, as list_tasks would list them.
-- params: TaskFilter (completed, priority, list_public_id, due_before, tag_public_id)
-- column: count not null
-- allow: C122 a priority has three values: at worst one user's tasks are gone through
select count(*) as count
from tasks
where user_id = :user_id
    and completed = :completed                                              -- if: completed
    and priority = :priority                                                -- if: priority
    and list_id = :list_id                                                  -- if: list_id
    -- if: list_public_id
    and list_id = (select l.id from lists as l where l.user_id = :user_id and l.public_id = :list_public_id)
    and due_date < :due_before                                              -- if: due_before
    and id in (                                                             -- if: tag_public_id
        select tt.task_id                                                   -- if: tag_public_id
        from task_tags as tt                                                -- if: tag_public_id
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id -- if: tag_public_id
        where tt.user_id = :user_id and g.public_id = :tag_public_id        -- if: tag_public_id
    )                                                                       -- if: tag_public_id
    and deleted_at is null;

-- name: search_tasks :many -> Task
-- List tasks whose title or description contains a text, whatever its case, newest first.
-- param: limit = 50
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id
from tasks
where user_id = :user_id
    and deleted_at is null
    and strpos(lower(concat_ws(' ', title, description)), lower(:query)) > 0
    and completed = :completed                                              -- if: completed
order by created_at desc, id desc
limit :limit;

-- name: update_task :one -> Task
-- Change the fields that are given; None clears one that may be empty. None for list_id or
-- list_public_id takes the task out of its list.
-- params: TaskUpdate (title, description, completed, priority, due_date, list_public_id)
-- param: list_id bigint?
-- param: list_public_id uuid?
update tasks
set
    title = :title,                                                         -- if: title
    description = :description,                                             -- if: description
    completed = :completed,                                                 -- if: completed
    priority = :priority,                                                   -- if: priority
    due_date = :due_date,                                                   -- if: due_date
    list_id = case
        when false then null
        when true then :list_id::bigint                                     -- if: list_id
        when :list_public_id::uuid is null then null                        -- if: list_public_id
        -- if: list_public_id
        when true then coalesce((select id from lists where user_id = :user_id and public_id = :list_public_id), -1)
        else list_id
    end
where user_id = :user_id
    and deleted_at is null
    and (
        false
        or id = :id                                                         -- if: id
        or public_id = :public_id                                           -- if: public_id
    )
returning
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id;

-- name: complete_task :one -> Task
-- Mark a task as completed, or with completed false as open again.
-- param: completed = true
update tasks
set completed = :completed
where user_id = :user_id
    and deleted_at is null
    and (
        false
        or id = :id                                                         -- if: id
        or public_id = :public_id                                           -- if: public_id
    )
returning
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id;

-- name: delete_task :one -> Task
-- Put a task into the bin; restore_task takes it out again, purge_tasks empties the bin.
update tasks
set deleted_at = now()
where user_id = :user_id
    and deleted_at is null
    and (
        false
        or id = :id                                                         -- if: id
        or public_id = :public_id                                           -- if: public_id
    )
returning
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id;

-- name: list_deleted_tasks :many -> DeletedTask
-- List the bin, last deleted first.
-- param: limit = 50
select id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at, deleted_at
from tasks
where user_id = :user_id
    and deleted_at is not null
order by deleted_at desc, id desc
limit :limit;

-- name: restore_task :one -> Task
-- Take a task out of the bin.
update tasks
set deleted_at = null
where user_id = :user_id
    and deleted_at is not null
    and (
        false
        or id = :id                                                         -- if: id
        or public_id = :public_id                                           -- if: public_id
    )
returning
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = tasks.user_id and l.id = tasks.list_id) as list_public_id;

-- name: purge_tasks :execrows
-- Delete for good what is in the bin, or what has been there since before a time; return how
-- many tasks went.
delete from tasks
where user_id = :user_id
    and deleted_at < :deleted_before                                        -- if: deleted_before
    and deleted_at is not null;

-- name: import_tasks :copyfrom
-- Import many tasks at once and return how many were new; a task whose public_id is there
-- already stays as it is.
-- params: TaskImport
-- param: list_id bigint? = null
-- param: description text? = null
-- param: completed = false
-- param: priority = 'medium'
-- param: due_date timestamptz? = null
insert into tasks (user_id, public_id, list_id, title, description, completed, priority, due_date, created_at)
values (:user_id, :public_id, :list_id, :title, :description, :completed, :priority, :due_date, :created_at)
on conflict (user_id, public_id) do nothing;
