-- Removes every user, and with them whatever still refers to one.
drop table users;
