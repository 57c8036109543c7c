-- Loses every task.
drop table tasks;
