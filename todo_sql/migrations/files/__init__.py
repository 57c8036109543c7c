"""Migration files: names, pairs, directives, statements. Pure but for reading."""
