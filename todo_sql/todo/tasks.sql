-- A user's tasks. A task is named by its id or, as applications do, by its public_id: give
-- exactly one of them.

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
with made as (
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
            else coalesce(find_list(:list_public_id), -1)
        end
    )
    on conflict (user_id, public_id) do update
        set public_id = excluded.public_id
        where tasks.deleted_at is null
    returning id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
)

select
    m.id, m.public_id, m.list_id, m.title, m.description, m.completed, m.priority, m.due_date, m.created_at,
    m.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = m.list_id) as list_public_id
from made as m;

-- name: get_task :one -> Task
-- Return a task that is not deleted.
-- one of: id, public_id
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = tasks.list_id) as list_public_id
from tasks
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id                                              -- if: public_id
    and deleted_at is null;

-- name: list_tasks :many -> Task
-- List tasks that are not deleted: newest first, oldest first, or by due date with undated
-- tasks last.
-- params: TaskFilter (completed, priority, list_public_id, due_before, tag_public_id)
-- param: limit = 50
-- param: offset = 0
-- allow: C122 a priority has three values: at worst one user's tasks are gone through
select
    t.id, t.public_id, t.list_id, t.title, t.description, t.completed, t.priority, t.due_date, t.created_at,
    t.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = t.list_id) as list_public_id
from (
    select id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
    from tasks
    where user_id = :user_id
        and deleted_at is null
        and completed = :completed                                          -- if: completed
        and priority = :priority                                            -- if: priority
        and list_id = :list_id                                              -- if: list_id
        -- if: list_public_id
        and list_id = (select l.id from lists as l where l.user_id = :user_id and l.public_id = :list_public_id)
        and due_date < :due_before                                          -- if: due_before
        and id in (                                                         -- if: tag_public_id
            select tt.task_id
            from task_tags as tt
            inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
            where tt.user_id = :user_id and g.public_id = :tag_public_id
        )
    order by created_at desc, id desc                                       -- case sort: newest
    -- order by created_at, id                                              -- case sort: oldest
    -- order by due_date, id                                                -- case sort: due
    limit :limit offset :offset
) as t
-- order by t.created_at, t.id                                              -- case sort: oldest
-- order by t.due_date, t.id                                                -- case sort: due
order by t.created_at desc, t.id desc;                                      -- case sort: newest

-- name: page_tasks :page -> TaskWithTags
-- Walk through the tasks that list_tasks would list, with their lists and the names of their tags.
-- A page costs the same wherever it lies; the numbered pages of list_tasks cost more the further back.
-- params: TaskQuery (completed, priority, list_public_id, due_before, tag_public_id, sort, limit)
-- param: limit = 50
-- allow: C122 a priority has three values: at worst one user's tasks are gone through
-- model: list -> ListHead
select
    t.id, t.public_id, t.title, t.description, t.completed, t.priority, t.due_date, t.created_at, t.updated_at,
    l.public_id as "list.public_id",
    l.name as "list.name",
    array(
        select g.name
        from task_tags as tt
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
        where tt.user_id = :user_id and tt.task_id = t.id
        order by lower(g.name)
    ) as tags
from tasks as t
left join lists as l on l.user_id = :user_id and t.list_id = l.id
where t.user_id = :user_id
    and t.deleted_at is null
    and t.completed = :completed                                            -- if: completed
    and t.priority = :priority                                              -- if: priority
    and t.list_id = :list_id                                                -- if: list_id
    and l.public_id = :list_public_id                                       -- if: list_public_id
    and t.due_date < :due_before                                            -- if: due_before
    and t.id in (                                                           -- if: tag_public_id
        select tt.task_id
        from task_tags as tt
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
        where tt.user_id = :user_id and g.public_id = :tag_public_id
    )
order by t.created_at desc, t.id desc                                       -- case sort: newest
-- order by t.created_at, t.id                                              -- case sort: oldest
-- order by t.due_date, t.id                                                -- case sort: due
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
        select tt.task_id
        from task_tags as tt
        inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
        where tt.user_id = :user_id and g.public_id = :tag_public_id
    )
    and deleted_at is null;

-- name: search_tasks :many -> Task
-- List tasks whose title or description contains a text, whatever its case, newest first.
-- param: limit = 50
select
    id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = tasks.list_id) as list_public_id
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
-- one of: id, public_id
with changed as (
    update tasks
    set
        title = :title,                                                     -- if: title
        description = :description,                                         -- if: description
        completed = :completed,                                             -- if: completed
        priority = :priority,                                               -- if: priority
        due_date = :due_date,                                               -- if: due_date
        -- noqa: disable=LT02
        list_id = case
            when false then null
            when true then :list_id                                         -- if: list_id
            when true then (                                                -- if: list_public_id
                select case when :list_public_id::uuid is not null then coalesce(max(l.id), -1) end
                from lists as l
                where l.user_id = :user_id and l.public_id = :list_public_id
            )
            else list_id
        end
        -- noqa: enable=LT02
    where user_id = :user_id
        and deleted_at is null
        and id = :id                                                        -- if: id
        and public_id = :public_id                                          -- if: public_id
    returning id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
)

select
    c.id, c.public_id, c.list_id, c.title, c.description, c.completed, c.priority, c.due_date, c.created_at,
    c.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = c.list_id) as list_public_id
from changed as c;

-- name: complete_task :one -> Task
-- Mark a task as completed, or with completed false as open again.
-- param: completed = true
-- one of: id, public_id
with changed as (
    update tasks
    set completed = :completed
    where user_id = :user_id
        and deleted_at is null
        and id = :id                                                        -- if: id
        and public_id = :public_id                                          -- if: public_id
    returning id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
)

select
    c.id, c.public_id, c.list_id, c.title, c.description, c.completed, c.priority, c.due_date, c.created_at,
    c.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = c.list_id) as list_public_id
from changed as c;

-- name: delete_task :one -> Task
-- Put a task into the bin; restore_task takes it out again, purge_tasks empties the bin.
-- one of: id, public_id
with changed as (
    update tasks
    set deleted_at = now()
    where user_id = :user_id
        and deleted_at is null
        and id = :id                                                        -- if: id
        and public_id = :public_id                                          -- if: public_id
    returning id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
)

select
    c.id, c.public_id, c.list_id, c.title, c.description, c.completed, c.priority, c.due_date, c.created_at,
    c.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = c.list_id) as list_public_id
from changed as c;

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
-- one of: id, public_id
with changed as (
    update tasks
    set deleted_at = null
    where user_id = :user_id
        and deleted_at is not null
        and id = :id                                                        -- if: id
        and public_id = :public_id                                          -- if: public_id
    returning id, public_id, list_id, title, description, completed, priority, due_date, created_at, updated_at
)

select
    c.id, c.public_id, c.list_id, c.title, c.description, c.completed, c.priority, c.due_date, c.created_at,
    c.updated_at,
    (select l.public_id from lists as l where l.user_id = :user_id and l.id = c.list_id) as list_public_id
from changed as c;

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
