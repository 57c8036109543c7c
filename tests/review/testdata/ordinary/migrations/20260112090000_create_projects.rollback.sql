DROP VIEW open_issues;
DROP TABLE comments;
DROP TABLE issues;
DROP TABLE projects;
