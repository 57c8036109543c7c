-- What was scrubbed is gone, as it was meant to be: there is nothing to undo.
select;
