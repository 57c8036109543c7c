-- Loses every due date.
alter table tasks drop column due_date;
