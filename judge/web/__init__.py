"""What the page of `judge label` and the service have in common: a socket, a server that obeys, a body with an end."""
