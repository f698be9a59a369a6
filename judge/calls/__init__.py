"""What stands around a backend. Each wraps one and is one.

In order: cached(careful(retrying(budgeted(limited(logged(deadline(backend))))))).
budgeted is there only where there is a budget.
"""
