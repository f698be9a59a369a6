"""`python -m judge` and the command `judge`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from judge.cli import cli

    cli()


if __name__ == "__main__":
    main()
