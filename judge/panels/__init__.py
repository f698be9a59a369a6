"""Several judges on the same records: their tables joined, where they agree, and what a person should look at."""
