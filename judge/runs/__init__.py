"""A run's files, and the processes that write them."""
