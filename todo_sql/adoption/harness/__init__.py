"""Programs that run in the user's own environment, where the other tool is installed.

They import nothing of ours, read their orders as JSON from standard input, and write what they
found as JSON to a file: whatever the project prints does no harm.
"""
