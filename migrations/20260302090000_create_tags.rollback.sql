-- Loses every tag.
drop table tags;
