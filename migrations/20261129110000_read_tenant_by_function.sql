-- Who the tenant is was written out in every policy, behind a sub-select, which a policy on a
-- distributed table may not have. One stable function serves both: PostgreSQL puts its body in
-- its place, so an index on user_id is searched by it as before, and a scan asks it once a row.
--
-- Its body is parsed here and now, so that no search path of a caller can give it another
-- meaning. A setting that was never made is null, one made in an earlier transaction is empty:
-- neither is a user.
create function current_user_id()
returns text
language sql
stable
parallel safe
return nullif(current_setting('app.current_user_id', true), '');

comment on function current_user_id() is
'The user on whose behalf the transaction acts: the tenant; null: nobody. What every policy compares with.';

revoke execute on function current_user_id() from public;
grant execute on function current_user_id() to todo_app;

alter policy users_select_own on users
using (id = current_user_id());

alter policy tasks_select_own on tasks
using (user_id = current_user_id());

alter policy tasks_insert_own on tasks
with check (user_id = current_user_id());

alter policy tasks_update_own on tasks
using (user_id = current_user_id())
with check (user_id = current_user_id());

alter policy tasks_delete_own on tasks
using (user_id = current_user_id());

alter policy lists_select_own on lists
using (user_id = current_user_id());

alter policy lists_insert_own on lists
with check (user_id = current_user_id());

alter policy lists_update_own on lists
using (user_id = current_user_id())
with check (user_id = current_user_id());

alter policy lists_delete_own on lists
using (user_id = current_user_id());

alter policy tags_select_own on tags
using (user_id = current_user_id());

alter policy tags_insert_own on tags
with check (user_id = current_user_id());

alter policy tags_update_own on tags
using (user_id = current_user_id())
with check (user_id = current_user_id());

alter policy tags_delete_own on tags
using (user_id = current_user_id());

alter policy task_tags_select_own on task_tags
using (user_id = current_user_id());

alter policy task_tags_insert_own on task_tags
with check (user_id = current_user_id());

alter policy task_tags_update_own on task_tags
using (user_id = current_user_id())
with check (user_id = current_user_id());

alter policy task_tags_delete_own on task_tags
using (user_id = current_user_id());

alter policy audit_log_select_own on audit_log
using (user_id = current_user_id());
