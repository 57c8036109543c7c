REVOKE ALL ON ALL TABLES IN SCHEMA public FROM six_app, six_reports;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM six_app;
REVOKE USAGE ON SCHEMA public FROM six_app, six_reports;
