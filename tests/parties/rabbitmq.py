"""RabbitMQ of Debian with its plugin for OAuth 2, on loopback alone."""

import json
import logging
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pika
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from broker.testing.loopback import free_port
from tests.parties.debian import ROOT, environment, tree

CONFIGURATION: Final = ROOT / "examples/services/rabbitmq/rabbitmq.conf"
START_SECONDS: Final = 120
ANSWER_SECONDS: Final = 60.0
# What the server says to a token; to be slow or gone is none of these.
REFUSALS: Final = (
    ProbableAuthenticationError,
    ProbableAccessDeniedError,
    ConnectionClosedByBroker,
    ChannelClosedByBroker,
)
# It logs each refusal several times over, with its trace.
logging.getLogger("pika").setLevel(logging.CRITICAL)
VHOSTS: Final = ("deploy", "billing")
QUEUES: Final = ("jobs", "secrets")


@dataclass(frozen=True)
class RabbitMq:
    """A server with two virtual hosts, and two queues in each."""

    port: int

    @contextmanager
    def connection(self, token: str, vhost: str = "deploy") -> Iterator[Any]:
        """Log in with a token as the password. Raises `AMQPError`, one of REFUSALS among them."""
        connection = pika.BlockingConnection(
            pika.ConnectionParameters(
                *("127.0.0.1", self.port, vhost),
                pika.PlainCredentials("", token),
                socket_timeout=ANSWER_SECONDS,
                stack_timeout=2 * ANSWER_SECONDS,
                blocked_connection_timeout=ANSWER_SECONDS,
            )
        )
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()

    def lets_in(self, token: str, vhost: str = "deploy") -> bool:
        try:
            with self.connection(token, vhost):
                return True
        except REFUSALS:
            return False

    def publishes(self, token: str, queue: str, text: bytes = b"go") -> bool:
        """Put a message into a queue; the server has to confirm it."""
        try:
            with self.connection(token) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.basic_publish("amq.direct", queue, text, mandatory=True)
                return True
        except REFUSALS:
            return False

    def reads(self, token: str, queue: str) -> bytes | None:
        """Take a message out of a queue; None where that is refused."""
        try:
            with self.connection(token) as connection:
                _, _, text = connection.channel().basic_get(queue, auto_ack=True)
                assert isinstance(text, bytes)
                return text
        except REFUSALS:
            return None


@contextmanager
def rabbitmq(folder: Path, replaced: Mapping[str, str]) -> Iterator[RabbitMq]:
    """Run a server on the configuration of the example until the block ends."""
    unpacked = tree("rabbitmq", "rabbitmq-server")
    erlang = unpacked / "usr/lib/erlang"
    port, epmd_port = free_port(), free_port()
    variables = environment(unpacked) | {
        "PATH": f"{erlang}/bin:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ERL_ROOTDIR": str(erlang),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),
        # The shell would wait for the server; so the process is the server itself.
        "RABBITMQ_ALLOW_INPUT": "true",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_NODENAME": "parties@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }
    _write_configuration(folder, port, replaced)
    server = next(unpacked.glob("usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server"))
    log = folder / "log"
    with (
        log.open("wb") as written,
        _running([str(erlang / "bin/epmd")], variables, written),
        _running([str(server)], variables, written) as process,
    ):
        _wait_until_started(process, log)
        yield RabbitMq(port)


def _write_configuration(folder: Path, port: int, replaced: Mapping[str, str]) -> None:
    text = CONFIGURATION.read_text()
    for given, here in replaced.items():
        assert given in text
        text = text.replace(given, here)
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        f"load_definitions = {folder / 'definitions.json'}\n"
        f"{text}"
    )
    (folder / "advanced.config").write_text("[].\n")
    (folder / "enabled_plugins").write_text("[rabbitmq_auth_backend_oauth2].\n")
    places = [(vhost, queue) for vhost in VHOSTS for queue in QUEUES]
    definitions = {
        "vhosts": [{"name": vhost} for vhost in VHOSTS],
        "queues": [
            {"vhost": vhost, "name": queue, "durable": True, "auto_delete": False, "arguments": {}}
            for vhost, queue in places
        ],
        "bindings": [
            {
                "vhost": vhost,
                "source": "amq.direct",
                "destination": queue,
                "destination_type": "queue",
                "routing_key": queue,
                "arguments": {},
            }
            for vhost, queue in places
        ],
    }
    (folder / "definitions.json").write_text(json.dumps(definitions))


@contextmanager
def _running(
    command: list[str], variables: Mapping[str, str], written: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends; nothing that it keeps is needed again."""
    with subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=written, stderr=written
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_until_started(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while b"Server startup complete" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"RabbitMQ does not start:\n{log.read_text()}")
        time.sleep(0.05)
