-- Short-lived proofs, such as the link in a mail that confirms an address or resets a
-- password (Better Auth's `verification` model).
create table verifications (
    id text not null,
    identifier text not null,
    value text not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    constraint verifications_pkey primary key (id)
);

create index idx_verifications_identifier on verifications (identifier);

comment on table verifications is 'Short-lived proofs sent by mail; written by Better Auth (model verification).';
comment on column verifications.id is 'Better Auth''s id.';
comment on column verifications.identifier is 'What is being verified, such as an address. Personal data.';
comment on column verifications.value is 'The proof that is expected. Secret.';
comment on column verifications.expires_at is 'From when on the proof is worthless.';
comment on column verifications.created_at is 'When the proof was sent.';
comment on column verifications.updated_at is 'When Better Auth last wrote the row.';
comment on index idx_verifications_identifier is 'Better Auth: the proofs expected of an address.';

alter table verifications enable row level security;

grant select, insert, update, delete on verifications to todo_auth;

create policy verifications_select_auth on verifications for select to todo_auth using (true);
create policy verifications_insert_auth on verifications for insert to todo_auth with check (true);
create policy verifications_update_auth on verifications for update to todo_auth using (true) with check (true);
create policy verifications_delete_auth on verifications for delete to todo_auth using (true);
