-- The shards are there now. This goes to each node past the transaction, and may be repeated.
select grant_on_nodes();
