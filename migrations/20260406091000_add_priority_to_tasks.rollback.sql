-- Loses every priority.
alter table tasks drop column priority;
