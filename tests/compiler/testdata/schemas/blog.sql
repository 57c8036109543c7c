create table authors (id int primary key, name text not null, bio text, rating int);
create table posts (
    id int primary key, author_id int not null, title text not null, body text, score int,
    published boolean not null, at timestamptz
);
create table comments (id int primary key, post_id int not null, parent_id int, author_id int, text text not null, at timestamptz not null);
create table likes (post_id int not null, author_id int not null, at timestamptz, primary key (post_id, author_id));
create view post_stats as
    select p.id, p.title, p.author_id, count(c.id) as comments, max(c.at) as last_comment,
        (select count(*) from likes as l where l.post_id = p.id) as likes
    from posts as p left join comments as c on c.post_id = p.id
    group by p.id;
create view shown as select s.*, a.name as author, a.bio from post_stats as s left join authors as a on a.id = s.author_id;
create view outer_shown as select a.id, a.name, s.title, s.comments from authors as a left join shown as s on s.author_id = a.id;
