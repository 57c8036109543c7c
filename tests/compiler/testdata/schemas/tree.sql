create table nodes (id int primary key, parent_id int, label text not null, weight int, leaf boolean not null, path int[] );
create table edges (source int not null, target int not null, cost int, kind text not null, directed boolean);
create table marks (node_id int, mark text, at timestamptz, value int not null default 0);
create view roots as select id, label, weight from nodes where parent_id is null;
create view walks as
    with recursive w as (
        select id, parent_id, label, 0 as depth, weight from nodes where parent_id is null
        union all
        select n.id, n.parent_id, n.label, w.depth + 1, n.weight + w.weight from nodes as n join w on n.parent_id = w.id where w.depth < 4
    )
    select * from w;
