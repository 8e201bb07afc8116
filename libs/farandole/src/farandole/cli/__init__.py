"""The command line: one file per noun. `main` is the program; it returns exit codes."""

from farandole.cli.main import main

__all__ = ["main"]
