-- A user's lists of tasks. A list is named by its id or by its public_id: give one of them.

-- name: create_list :one -> TaskList
-- Create a list. Repeating a call with the same public_id returns the list that is there; a
-- name that another list of the user has violates idx_lists_user_id_lower_name.
-- params: ListCreate (public_id, name)
-- param: public_id uuid? = null
insert into lists (user_id, public_id, name)
values (:user_id, coalesce(:public_id, gen_random_uuid()), :name)
on conflict (user_id, public_id) do update set public_id = excluded.public_id
returning id, public_id, name, created_at, updated_at;

-- name: get_list :one -> TaskList
-- Return a list.
-- one of: id, public_id
select id, public_id, name, created_at, updated_at
from lists
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id;                                             -- if: public_id

-- name: list_lists :many -> TaskList
-- List the user's lists by name.
-- param: limit = 100
select id, public_id, name, created_at, updated_at
from lists
where user_id = :user_id
order by lower(name)
limit :limit;

-- name: list_lists_with_tasks :many -> TaskListWithTasks
-- List the user's lists by name, each with how many open tasks it has and with the newest of
-- them, tags included: one query for a whole screen.
-- param: limit = 100
-- param: tasks_per_list = 20
select
    l.id,
    l.public_id,
    l.name,
    l.created_at,
    l.updated_at,
    (
        select count(*)
        from tasks as t
        where t.user_id = :user_id
            and t.list_id = l.id
            and t.completed = false
            and t.deleted_at is null
    ) as open_tasks,
    array(
        select to_jsonb(newest)
        from (
            select
                t.public_id,
                t.title,
                t.priority,
                t.due_date,
                array(
                    select g.name
                    from task_tags as tt
                    inner join tags as g on tt.user_id = g.user_id and tt.tag_id = g.id
                    where tt.user_id = :user_id and tt.task_id = t.id
                    order by lower(g.name)
                ) as tags
            from tasks as t
            where t.user_id = :user_id
                and t.list_id = l.id
                and t.completed = false
                and t.deleted_at is null
            order by t.created_at desc, t.id desc
            limit :tasks_per_list
        ) as newest
    ) as newest_tasks
from lists as l
where l.user_id = :user_id
order by lower(l.name)
limit :limit;

-- name: count_lists :one
-- Count the user's lists.
-- column: count not null
select count(*) as count
from lists
where user_id = :user_id;

-- name: update_list :one -> TaskList
-- Rename a list.
-- params: ListUpdate (name)
-- one of: id, public_id
update lists
set name = :name
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id                                              -- if: public_id
returning id, public_id, name, created_at, updated_at;

-- name: delete_list :one -> TaskList
-- Delete a list. Its tasks stay, in no list.
-- one of: id, public_id
delete from lists
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id                                              -- if: public_id
returning id, public_id, name, created_at, updated_at;
