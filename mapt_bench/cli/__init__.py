"""The command line: each command parses, calls one function, prints, and exits."""

from mapt_bench.cli.main import main

__all__ = ["main"]
