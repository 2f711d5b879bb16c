"""The command `mien`. Commands parse, call one library function, and print."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; 0 done, 1 some or all failed, 2 wrong usage."""
    from mien.cli.app import run

    return run(sys.argv[1:])
