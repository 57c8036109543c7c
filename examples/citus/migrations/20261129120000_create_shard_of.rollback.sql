drop function shard_of(regclass, text);
