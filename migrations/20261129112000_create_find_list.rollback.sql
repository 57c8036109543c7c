drop function find_list(uuid);
