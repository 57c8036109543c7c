-- What the application and the reports may do.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'six_app') THEN
        CREATE ROLE six_app NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'six_reports') THEN
        CREATE ROLE six_reports NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO six_app, six_reports;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO six_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO six_app;
GRANT SELECT ON users, teams, memberships, projects, issues, comments TO six_reports;
GRANT SELECT ON open_issues TO six_reports;
