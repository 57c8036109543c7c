"""PostgreSQL's protocol over `psycopg.pq`: connection, pipeline, parameters, rows, pool."""
