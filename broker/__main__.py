"""The command `broker`, also `python -m broker`, and its other names as a credential helper."""

import sys
from pathlib import PurePath

from broker.cli.app import app
from broker.cli.pipeline.credential_helper import HELPER_PROGRAMS


def main() -> None:
    """Run the command line."""
    program = PurePath(sys.argv[0]).name
    if tool := HELPER_PROGRAMS.get(program):
        app(["credential-helper", tool, *sys.argv[1:]], prog_name=program)
    app(prog_name="broker")


if __name__ == "__main__":
    main()
