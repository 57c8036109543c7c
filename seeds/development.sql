-- Development data: three people, their lists, tags and tasks. Running it again changes
-- nothing: every row has a name of its own to be recognised by.
insert into users (id, name, email, email_verified)
values
('ada', 'Ada Lovelace', 'ada@example.com', true),
('grace', 'Grace Hopper', 'grace@example.com', true),
('alan', 'Alan Turing', 'alan@example.com', false)
on conflict (id) do nothing;

insert into lists (user_id, name)
values
('ada', 'Engine'),
('ada', 'Home'),
('grace', 'Compiler'),
('grace', 'Navy'),
('alan', 'Bletchley')
on conflict (user_id, lower(name)) do nothing;

insert into tags (user_id, name)
values
('ada', 'deep work'),
('ada', 'errand'),
('grace', 'bug'),
('grace', 'talk'),
('alan', 'puzzle')
on conflict (user_id, lower(name)) do nothing;

-- A public_id made of owner and title: the same in every run.
insert into tasks (user_id, public_id, list_id, title, description, completed, priority, due_date)
select
    t.user_id,
    md5(t.user_id || '/' || t.title)::uuid as public_id,
    l.id as list_id,
    t.title,
    t.description,
    t.completed,
    t.priority,
    date_trunc('day', now()) + t.due as due_date
from (
    values
    ('ada', 'Engine', 'Write note G', 'Bernoulli numbers, with a table', true, 'high', null::interval),
    ('ada', 'Engine', 'Check the operation cards', null, false, 'high', interval '2 days'),
    ('ada', 'Engine', 'Ask Babbage about the mill', 'What happens on overflow?', false, 'medium', interval '5 days'),
    ('ada', 'Home', 'Buy milk', null, false, 'low', interval '1 day'),
    ('ada', null, 'Return the flying machine book', null, false, 'low', null),
    ('grace', 'Compiler', 'Name the A-0 manual', null, true, 'medium', null),
    ('grace', 'Compiler', 'Take the moth out of relay 70', 'Tape it into the log', false, 'high', interval '1 day'),
    ('grace', 'Navy', 'Cut wire into nanoseconds', '11.8 inches each', false, 'medium', interval '3 days'),
    ('grace', null, 'Buy milk', null, false, 'low', interval '-1 day'),
    ('alan', 'Bletchley', 'Read the morning intercepts', null, false, 'high', interval '1 day'),
    ('alan', null, 'Mend the bicycle chain', 'It comes off every 14 turns', false, 'low', null)
) as t (user_id, list_name, title, description, completed, priority, due)
left join lists as l on t.user_id = l.user_id and t.list_name = l.name
on conflict (user_id, public_id) do nothing;

insert into task_tags (user_id, task_id, tag_id)
select
    t.user_id,
    t.id as task_id,
    g.id as tag_id
from (
    values
    ('ada', 'Check the operation cards', 'deep work'),
    ('ada', 'Buy milk', 'errand'),
    ('grace', 'Take the moth out of relay 70', 'bug'),
    ('grace', 'Cut wire into nanoseconds', 'talk'),
    ('alan', 'Read the morning intercepts', 'puzzle')
) as v (user_id, title, tag)
inner join tasks as t on v.user_id = t.user_id and md5(v.user_id || '/' || v.title)::uuid = t.public_id
inner join tags as g on v.user_id = g.user_id and v.tag = g.name
on conflict (user_id, task_id, tag_id) do nothing;
