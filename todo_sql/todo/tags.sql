-- A user's tags. A tag is named by its id or by its public_id: give one of them.

-- name: create_tag :one -> Tag
-- Create a tag. Repeating a call with the same public_id returns the tag that is there; a
-- name that another tag of the user has violates idx_tags_user_id_lower_name.
-- params: TagCreate (public_id, name)
-- param: public_id uuid? = null
insert into tags (user_id, public_id, name)
values (:user_id, coalesce(:public_id, gen_random_uuid()), :name)
on conflict (user_id, public_id) do update set public_id = excluded.public_id
returning id, public_id, name, created_at, updated_at;

-- name: get_tag :one -> Tag
-- Return a tag.
-- one of: id, public_id
select id, public_id, name, created_at, updated_at
from tags
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id;                                             -- if: public_id

-- name: list_tags :many -> Tag
-- List the user's tags by name.
-- param: limit = 100
select id, public_id, name, created_at, updated_at
from tags
where user_id = :user_id
order by lower(name)
limit :limit;

-- name: count_tags :one
-- Count the user's tags.
-- column: count not null
select count(*) as count
from tags
where user_id = :user_id;

-- name: update_tag :one -> Tag
-- Rename a tag.
-- params: TagUpdate (name)
-- one of: id, public_id
update tags
set name = :name
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id                                              -- if: public_id
returning id, public_id, name, created_at, updated_at;

-- name: delete_tag :one -> Tag
-- Delete a tag. Its tasks stay, without it.
-- one of: id, public_id
delete from tags
where user_id = :user_id
    and id = :id                                                            -- if: id
    and public_id = :public_id                                              -- if: public_id
returning id, public_id, name, created_at, updated_at;
