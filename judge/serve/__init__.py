"""The HTTP service: one queue, one store of replies and one rate budget for all processes of a training run.

A request passes, top to bottom:

connection.py   bytes                 -> a request        heads that are too long or too slow end here
front.py        a request             -> the same         its id, its Host, its token; one answer, whatever happens
door.py         a request             -> let in, or not   nobody is let in any more once the service ends
strict.py       a body                -> one JSON value   bounded in bytes and in time
bodies.py       a JSON value          -> what is asked    the OpenAPI schema of what is sent
answers.py      what clients are told                     the OpenAPI schema of answers
service.py      what all routes share
offer.py        names                 -> a judge          of those that the service was started with
room.py         records               -> their turn       or 429, when too many wait
scores.py       records               -> scores
comparisons.py  pairs of records      -> which is better
rewards.py      records               -> rewards          for each trainer in its own shape
state.py        whether it is alive, whether its judge answers, and its metrics
readiness.py    a judge               -> whether it answers
refusal.py      what is wrong         -> a JSON error
metrics.py      what happens          -> what Prometheus reads
app.py          all of these together
server.py       the application, until it is told to end and nobody waits any more
"""
