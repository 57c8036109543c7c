-- name: export :exec
copy authors to stdout;

-- name: load :exec
copy authors (name) from stdin;
