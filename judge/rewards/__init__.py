"""Rewards for trainers: one file a trainer, none of which it imports.

What they share:

text.py        completions as a trainer has them -> the trace
rows.py        columns of a data set             -> rows in the shape of an input line
failing.py     Rewards                           -> numbers, and what a failure becomes
tripwires.py   a batch of Rewards                -> metrics, and warnings where something is odd
rewarder.py    rows                              -> a Batch of rewards: judge, shape, failures and tripwires together
options.py     a file or keywords                -> a Rewarder
parts.py       a Batch                           -> numbers that add up, where a trainer can leave nothing out
"""
