-- Loses which task carried which tag.
drop table task_tags;
