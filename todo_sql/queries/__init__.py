"""Named queries: headers, parameters, variants, loading. Pure."""
