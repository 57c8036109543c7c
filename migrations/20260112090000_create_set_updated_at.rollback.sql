-- No table uses it any more at this point of the history.
drop function set_updated_at();
