"""Coming over from another tool: its files become ours, and its ledger, too."""
