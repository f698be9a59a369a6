"""Numbers on labels, ranks and pairs: each a value with its interval, or the reason for none."""
