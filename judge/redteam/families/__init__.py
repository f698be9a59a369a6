"""Families of attacks: one file a family, each with a `FAMILY` that `judge.redteam.catalogue` lists."""
