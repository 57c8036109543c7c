-- Signed-in browsers and devices. A token is as good as a password while it lives, so only
-- todo_auth may read the table (Better Auth's `session` model).
create table sessions (
    id text not null,
    user_id text not null,
    token text not null,
    expires_at timestamptz not null,
    ip_address text,
    user_agent text,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    constraint sessions_pkey primary key (id),
    constraint sessions_token_key unique (token),
    constraint sessions_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index idx_sessions_user_id on sessions (user_id);

comment on table sessions is 'Signed-in browsers and devices; written by Better Auth (model session).';
comment on column sessions.id is 'Better Auth''s id.';
comment on column sessions.user_id is 'Who is signed in.';
comment on column sessions.token is 'The secret that the cookie carries. Secret.';
comment on column sessions.expires_at is 'From when on the token is worthless.';
comment on column sessions.ip_address is 'Address of the last request, if recorded. Personal data.';
comment on column sessions.user_agent is 'Browser of the last request, if recorded. Personal data.';
comment on column sessions.created_at is 'When the user signed in.';
comment on column sessions.updated_at is 'When Better Auth last wrote the row.';
comment on index idx_sessions_user_id is 'Better Auth: the sessions of a user; the foreign key to users.';

alter table sessions enable row level security;

grant select, insert, update, delete on sessions to todo_auth;

create policy sessions_select_auth on sessions for select to todo_auth using (true);
create policy sessions_insert_auth on sessions for insert to todo_auth with check (true);
create policy sessions_update_auth on sessions for update to todo_auth using (true) with check (true);
create policy sessions_delete_auth on sessions for delete to todo_auth using (true);
