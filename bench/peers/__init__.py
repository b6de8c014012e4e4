"""Other servers, started for a comparison on the same file with the same threads."""
