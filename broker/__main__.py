"""The command `broker`, also `python -m broker`, and its other names as a credential helper."""

import os
import sys

from broker.cli.pipeline.cache_hit import from_cache


def main() -> None:
    """Run the command line."""
    program = os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib takes longer than a cache hit
    # By another name it is a credential helper, whose words mean something else.
    cached = None if "credential" in program else from_cache(sys.argv[1:], os.environ)
    if cached is not None:
        sys.stdout.write(cached)
        return
    from broker.cli.app import app  # noqa: PLC0415 - not for a token from the cache
    from broker.cli.pipeline.credential_helper import HELPER_PROGRAMS  # noqa: PLC0415

    if tool := HELPER_PROGRAMS.get(program):
        app(["credential-helper", tool, *sys.argv[1:]], prog_name=program)
    app(prog_name="broker")


if __name__ == "__main__":
    main()
