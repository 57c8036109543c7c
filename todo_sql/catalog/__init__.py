"""What a live database holds: snapshot, difference, documents, health."""
