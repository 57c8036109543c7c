-- The policies as they were; a distributed table refuses them.
alter policy audit_log_select_own on audit_log
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy task_tags_delete_own on task_tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy task_tags_update_own on task_tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy task_tags_insert_own on task_tags
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy task_tags_select_own on task_tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tags_delete_own on tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tags_update_own on tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tags_insert_own on tags
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tags_select_own on tags
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy lists_delete_own on lists
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy lists_update_own on lists
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy lists_insert_own on lists
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy lists_select_own on lists
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tasks_delete_own on tasks
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tasks_update_own on tasks
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tasks_insert_own on tasks
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy tasks_select_own on tasks
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));

alter policy users_select_own on users
using (id = (select nullif(current_setting('app.current_user_id', true), '')));

drop function current_user_id();
