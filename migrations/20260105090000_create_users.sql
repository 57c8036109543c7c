-- Every row of the application belongs to a user. Better Auth 1.7 owns this table's shape
-- (its `user` model under the snake_case mapping) and writes it as todo_auth; the
-- application sees the name and picture of its own user and nothing else.
create table users (
    id text not null,
    name text not null,
    email text not null,
    email_verified boolean not null default false,
    image text,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email),
    constraint users_id_check check (id <> '')
);

comment on table users is 'People who sign in; written by Better Auth (model user).';
comment on column users.id is 'Better Auth''s id, 32 characters of text by default; the tenant key everywhere.';
comment on column users.name is 'Display name. Personal data.';
comment on column users.email is 'Address used to sign in, lower-cased by Better Auth. Personal data.';
comment on column users.email_verified is 'Whether the address was confirmed.';
comment on column users.image is 'URL of a picture, if any. Personal data.';
comment on column users.created_at is 'When the user signed up.';
comment on column users.updated_at is 'When Better Auth last wrote the row.';

alter table users enable row level security;

grant select, insert, update, delete on users to todo_auth;
grant select (id, name, image) on users to todo_app;
grant select (id, name, created_at) on users to todo_readonly;

create policy users_select_auth on users for select to todo_auth using (true);
create policy users_insert_auth on users for insert to todo_auth with check (true);
create policy users_update_auth on users for update to todo_auth using (true) with check (true);
create policy users_delete_auth on users for delete to todo_auth using (true);

-- The sub-select is evaluated once per statement, not once per row. A setting that was
-- never made is null, one made in an earlier transaction is empty: neither is a user.
create policy users_select_own on users for select to todo_app
using (id = (select nullif(current_setting('app.current_user_id', true), '')));

create policy users_select_all on users for select to todo_readonly using (true);
