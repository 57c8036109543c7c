-- Loses the history, detached months excepted.
drop table audit_log;
