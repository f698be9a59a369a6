"""Recorded judge outputs, read strictly: a declaration a format, and what reads the texts by it."""
