-- Loses every list.
drop table lists;
