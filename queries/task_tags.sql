-- Which task carries which tag. Tasks and tags are named by their ids or public_ids: give
-- one of each.

-- name: tag_task :one -> TaskTag
-- Put a tag on a task; repeating it changes nothing.
-- one of: task_id, task_public_id
-- one of: tag_id, tag_public_id
insert into task_tags (user_id, task_id, tag_id)
select t.user_id, t.id as task_id, g.id as tag_id
from tasks as t
inner join tags as g on t.user_id = g.user_id
where t.user_id = :user_id
    and t.deleted_at is null
    and t.id = :task_id                                                     -- if: task_id
    and t.public_id = :task_public_id                                       -- if: task_public_id
    and g.id = :tag_id                                                      -- if: tag_id
    and g.public_id = :tag_public_id                                        -- if: tag_public_id
on conflict (user_id, task_id, tag_id) do update set tag_id = excluded.tag_id
returning task_id, tag_id, created_at;

-- name: untag_task :execrows
-- Take a tag off a task; return 1, or 0 if it was not there.
-- one of: task_id, task_public_id
-- one of: tag_id, tag_public_id
delete from task_tags
where user_id = :user_id
    and task_id in (
        select t.id
        from tasks as t
        where t.user_id = :user_id
            and t.id = :task_id                                             -- if: task_id
            and t.public_id = :task_public_id                               -- if: task_public_id
    )
    and tag_id in (
        select g.id
        from tags as g
        where g.user_id = :user_id
            and g.id = :tag_id                                              -- if: tag_id
            and g.public_id = :tag_public_id                                -- if: tag_public_id
    );

-- name: list_task_tags :many -> Tag
-- List the tags of a task by name.
-- one of: task_id, task_public_id
select g.id, g.public_id, g.name, g.created_at, g.updated_at
from tags as g
where g.user_id = :user_id
    and g.id in (
        select tt.tag_id
        from task_tags as tt
        inner join tasks as t on tt.user_id = t.user_id and tt.task_id = t.id
        where tt.user_id = :user_id
            and t.user_id = :user_id
            and t.deleted_at is null
            and t.id = :task_id                                             -- if: task_id
            and t.public_id = :task_public_id                               -- if: task_public_id
    )
order by lower(g.name);

-- name: set_task_tags :many -> Tag
-- Give a task exactly the tags of these names, making those that the user does not have yet;
-- return them by name. A task that is not there gets none.
-- one of: task_id, task_public_id
with task as (
    select t.user_id, t.id
    from tasks as t
    where t.user_id = :user_id
        and t.deleted_at is null
        and t.id = :task_id                                                 -- if: task_id
        and t.public_id = :task_public_id                                   -- if: task_public_id
),

wanted as (
    insert into tags (user_id, name)
    select distinct on (lower(n.name)) task.user_id, n.name
    from task
    cross join unnest(:names::text[]) as n (name)
    order by lower(n.name)
    on conflict (user_id, lower(name)) do update set name = tags.name
    returning user_id, id, public_id, name, created_at, updated_at
),

removed as (
    delete from task_tags
    where user_id = :user_id
        and task_id in (select task.id from task)
        and tag_id not in (select wanted.id from wanted)
),

added as (
    insert into task_tags (user_id, task_id, tag_id)
    select task.user_id, task.id as task_id, wanted.id as tag_id
    from task
    inner join wanted on task.user_id = wanted.user_id
    on conflict (user_id, task_id, tag_id) do update set tag_id = excluded.tag_id
)

select id, public_id, name, created_at, updated_at
from wanted
order by lower(name);
