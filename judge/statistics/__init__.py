"""Numbers on labels, ranks and pairs."""
