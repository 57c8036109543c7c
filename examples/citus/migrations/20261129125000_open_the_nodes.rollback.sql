-- The grants go with the shards and the role.
select;
