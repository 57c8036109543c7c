-- Backends can no longer resolve sessions; their users are signed out meanwhile.
drop function resolve_session(text);
