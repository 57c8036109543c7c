-- How a user proves who they are: a password, or an account at another provider (Better
-- Auth's `account` model). Secrets throughout: only todo_auth may read it.
create table accounts (
    id text not null,
    user_id text not null,
    account_id text not null,
    provider_id text not null,
    access_token text,
    refresh_token text,
    id_token text,
    access_token_expires_at timestamptz,
    refresh_token_expires_at timestamptz,
    scope text,
    password text,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    constraint accounts_pkey primary key (id),
    constraint accounts_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index idx_accounts_user_id on accounts (user_id);

comment on table accounts is 'Credentials of a user, one row per provider; written by Better Auth (model account).';
comment on column accounts.id is 'Better Auth''s id.';
comment on column accounts.user_id is 'Whose credentials these are.';
comment on column accounts.account_id is 'The user''s id at the provider; the user id for a password.';
comment on column accounts.provider_id is 'The provider, such as google; credential for a password.';
comment on column accounts.access_token is 'OAuth access token. Secret.';
comment on column accounts.refresh_token is 'OAuth refresh token. Secret.';
comment on column accounts.id_token is 'OpenID Connect token. Secret.';
comment on column accounts.access_token_expires_at is 'When the access token expires.';
comment on column accounts.refresh_token_expires_at is 'When the refresh token expires.';
comment on column accounts.scope is 'What the provider lets us do.';
comment on column accounts.password is 'Salted hash of the password. Secret.';
comment on column accounts.created_at is 'When the credentials were added.';
comment on column accounts.updated_at is 'When Better Auth last wrote the row.';
comment on index idx_accounts_user_id is 'Better Auth: the accounts of a user; the foreign key to users.';

alter table accounts enable row level security;

grant select, insert, update, delete on accounts to todo_auth;

create policy accounts_select_auth on accounts for select to todo_auth using (true);
create policy accounts_insert_auth on accounts for insert to todo_auth with check (true);
create policy accounts_update_auth on accounts for update to todo_auth using (true) with check (true);
create policy accounts_delete_auth on accounts for delete to todo_auth using (true);
