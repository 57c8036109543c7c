-- Removes every credential; nobody can sign in until the table is back and filled.
drop table accounts;
