"""Paid replies on disk, and what is done when they are damaged."""
