"""What stands around a backend. Each wraps one and is one.

In order: cached(careful(retrying(limited(deadline(backend))))).
"""
