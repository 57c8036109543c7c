-- Issues can be due.
ALTER TABLE issues ADD COLUMN due_on DATE;
