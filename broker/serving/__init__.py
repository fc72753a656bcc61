"""`broker serve`: the listening sockets, and one process or several that serve on them."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

from broker import logs
from broker.serving import dev_platform, one_process, several_processes
from broker.serving.server import Service, listening
from broker.settings import load as load_settings


def serve(
    *, config: Path | None, listen: str | None, workers: int, dev: bool, dev_listen: str, data: Path
) -> int:
    """Serve until SIGTERM or SIGINT, by so many processes; give the exit status.

    `dev` also runs the dev platform, on the address `dev_listen`; `data` is the folder for what no
    setting places elsewhere. Raises `ConfigurationError` when the broker cannot start.
    """
    settings = load_settings(
        config, os.environ, listen=listen, dev=dev, data_dir=data, working_directory=Path.cwd()
    )
    output = several_processes.Output.of_this_process() if workers > 1 else None
    logs.configure(sys.stderr if output is None else output.log_of_supervisor())
    run_platform = dev_platform.in_thread if output is None else dev_platform.in_process
    with ExitStack() as stack:
        dev_issuers = stack.enter_context(run_platform(dev_listen, data)) if dev else None
        bound, listeners = stack.enter_context(listening(settings))
        service = Service(bound, listeners, dev_issuers)
        if output is None:
            return one_process.serve(service)
        return several_processes.serve(service, workers, output)
