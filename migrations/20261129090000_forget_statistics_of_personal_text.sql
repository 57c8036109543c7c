-- The planner's statistics hold values of every user's rows, and row security does not keep
-- EXPLAIN from using them where an operator is leakproof, as `=` and `<` of text are: whoever
-- ran SQL as todo_app learnt from the estimated rows which titles and names others have. No
-- query looks anything up by them, so no plan needs their statistics.
--
-- A target of 0 makes no new statistics. Those that are there go by the change of type, which
-- changes none: it takes the table's lock, checks its rows and writes no table anew; the
-- indexes over lower(name) are built again.
-- allow: changing-column-type it stays text
alter table users
alter column name type text,
alter column image type text;

alter table users
alter column name set statistics 0,
alter column image set statistics 0;

alter table lists
alter column name type text;

alter table lists
alter column name set statistics 0;

alter index idx_lists_user_id_lower_name alter column 2 set statistics 0;

alter table tags
alter column name type text;

alter table tags
alter column name set statistics 0;

alter index idx_tags_user_id_lower_name alter column 2 set statistics 0;

alter table tasks
alter column title type text,
alter column description type text;

alter table tasks
alter column title set statistics 0,
alter column description set statistics 0;
