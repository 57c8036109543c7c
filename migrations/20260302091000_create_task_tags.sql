-- Which task carries which tag. Both keys carry user_id: a task and its tags have one owner.
create table task_tags (
    user_id text not null,
    task_id bigint not null,
    tag_id bigint not null,
    created_at timestamptz not null default now(),
    constraint task_tags_pkey primary key (user_id, task_id, tag_id),
    constraint task_tags_user_id_task_id_fkey foreign key (user_id, task_id)
    references tasks (user_id, id) on delete cascade,
    constraint task_tags_user_id_tag_id_fkey foreign key (user_id, tag_id)
    references tags (user_id, id) on delete cascade
);

create index idx_task_tags_user_id_tag_id_task_id on task_tags (user_id, tag_id, task_id);

comment on table task_tags is 'Which task carries which tag.';
comment on column task_tags.user_id is 'Whose task and tag they are: the tenant.';
comment on column task_tags.task_id is 'The task.';
comment on column task_tags.tag_id is 'The tag.';
comment on column task_tags.created_at is 'When the task was tagged.';
comment on index idx_task_tags_user_id_tag_id_task_id is
'Serves list_tasks with a tag: the tasks of a tag; the foreign key to tags.';

alter table task_tags enable row level security;

grant select, delete on task_tags to todo_app;
grant insert (user_id, task_id, tag_id, created_at) on task_tags to todo_app;
-- For `on conflict do update`: repeating a tag changes nothing and answers with the row.
grant update (tag_id) on task_tags to todo_app;
grant select on task_tags to todo_readonly;

create policy task_tags_select_own on task_tags for select to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

create policy task_tags_insert_own on task_tags for insert to todo_app
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

create policy task_tags_update_own on task_tags for update to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

create policy task_tags_delete_own on task_tags for delete to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

create policy task_tags_select_all on task_tags for select to todo_readonly using (true);
