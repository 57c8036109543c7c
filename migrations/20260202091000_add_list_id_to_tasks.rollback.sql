-- Loses which task was in which list.
alter table tasks drop column list_id;
