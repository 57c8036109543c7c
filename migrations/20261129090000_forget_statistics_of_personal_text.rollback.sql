-- Shows values of other users' rows in the estimates of EXPLAIN again, after the next analyze.
-- allow: PRS sqlfluff knows no negative target
alter table tasks
alter column title set statistics -1,
alter column description set statistics -1;

alter index idx_tags_user_id_lower_name alter column 2 set statistics -1;

alter table tags
alter column name set statistics -1;

alter index idx_lists_user_id_lower_name alter column 2 set statistics -1;

alter table lists
alter column name set statistics -1;

alter table users
alter column name set statistics -1,
alter column image set statistics -1;
