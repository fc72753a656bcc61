"""One connection to a Redis server: commands go out, answers come back, nothing is sent twice.

Of redis-py only the connection is used. Its clients send anew whatever had no answer, which a
command that is not idempotent does not bear.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from broker.core.redis_address import RedisAddress, RedisLogin
from broker.stores.redis_scripts import Script

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 2.0
"""How long a server may take for what was sent at once."""

LOST: Final = "it has lost the store: restore a backup"
"""What is said of a server on which there is none any more."""

CLIENT_NAME: Final = "ci-token-broker"

Word = str | bytes | int | float
Command = tuple[Word, ...]


class LinkLost(Exception):
    """The server is out of reach; what was sent may have come to it or not."""


class LinkRefused(Exception):
    """The server answered that it does not do this; nothing was written.

    `permanent` says that only somebody who changes the configuration can mend it.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Link:
    """A connection, used by one at a time. What goes wrong closes it."""

    def __init__(self, connection: Connection) -> None:
        """Use `open_link`."""
        self._connection = connection

    @property
    def usable(self) -> bool:
        """Whether it was not closed."""
        return bool(self._connection.is_connected)

    async def call(self, *words: Word) -> Any:  # noqa: ANN401 - whatever the command gives
        """Run a command. Raises `LinkLost` and `LinkRefused`."""
        [answer] = await self.calls([words])
        return answer

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, sent at once, one after the other. Raises as `call`."""
        packed = b"".join(hiredis.pack_command(words) for words in commands)  # type: ignore[arg-type] # its stub takes one word
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._connection.send_packed_command(packed, check_health=False)
                answers = [await self._answer() for _ in commands]
        except (TimeoutError, RedisTimeoutError):
            await self.close()
            raise LinkLost(f"there was no answer within {ANSWER_SECONDS:g} seconds") from None
        except RedisError as error:
            await self.close()
            raise LinkLost(_told(error)) from None
        except BaseException:
            # Whoever asked may be gone, while answers are still on their way.
            await self.close()
            raise
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise await self._refusal(answer)
        return answers

    async def atomically(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands with nobody else's between them. Raises as `call`."""
        *_, answers = await self.calls([("MULTI",), *commands, ("EXEC",)])
        return list(answers)

    async def run(self, script: Script, keys: Sequence[Word], words: Sequence[Word]) -> Any:  # noqa: ANN401 - whatever the script gives
        """Run a script; one that the server does not know is sent to it. Raises as `call`."""
        [answer] = await self.run_and(script, keys, words)
        return answer

    async def run_and(
        self, script: Script, keys: Sequence[Word], words: Sequence[Word], *behind: Command
    ) -> list[Any]:
        """Run a script and commands behind it, sent at once. Raises as `call`."""
        try:
            return await self.calls([("EVALSHA", script.sha, len(keys), *keys, *words), *behind])
        except NoScriptError:
            # It has not run; what was behind it has had nothing to wait for.
            return await self.calls([("EVAL", script.text, len(keys), *keys, *words), *behind])

    async def run_each(
        self, script: Script, keys: Sequence[Word], words: Sequence[Sequence[Word]]
    ) -> list[Any]:
        """Run a script once for each of these words, sent at once. Raises as `call`."""
        try:
            return await self.calls(
                [("EVALSHA", script.sha, len(keys), *keys, *each) for each in words]
            )
        except NoScriptError:
            # None has run.
            return await self.calls(
                [("EVAL", script.text, len(keys), *keys, *each) for each in words]
            )

    async def close(self) -> None:
        """Let go of the connection."""
        # One that is broken, or closed by the other side, cannot be closed any better.
        with contextlib.suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _answer(self) -> Any:  # noqa: ANN401 - whatever the command gives
        """Read one answer; what the server refuses is an answer, too, behind which others come."""
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ResponseError as refused:
            return refused

    async def _refusal(self, answer: ResponseError) -> Exception:
        if isinstance(answer, NoScriptError):
            return answer
        if isinstance(answer, NoPermissionError):
            return LinkRefused(f"the user lacks a right: {_told(answer)}", permanent=True)
        # Some servers tell it of a script in words alone.
        if isinstance(answer, ReadOnlyError) or "-READONLY" in str(answer):
            # The primary has become a replica: there must be another one.
            await self.close()
            return LinkRefused("the server is a replica now")
        return LinkRefused(f"{type(answer).__name__}: {_told(answer)}")


async def open_link(address: RedisAddress) -> Link:
    """Connect to the server, which Sentinels may have to name. Raises as `Link.call`."""
    if address.sentinel_name is None:
        return await _connect(address, address.hosts[0], address.login, address.database)
    told: list[str] = []
    refused: LinkRefused | None = None
    for sentinel in address.hosts:
        try:
            named = await _ask_sentinel(address, sentinel)
        except (LinkLost, LinkRefused) as error:
            told.append(str(error))
            continue
        try:
            link = await _connect(address, named, address.login, address.database)
            if b"role:master" in await link.call("INFO", "replication"):
                return link
            await link.close()
        except LinkLost as error:
            told.append(str(error))
        except LinkRefused as error:
            refused = error
        else:
            # One that is cut off from the others knows only how it was before.
            told.append("it names a replica")
    raise refused or LinkLost(f"no Sentinel names the server: {'; '.join(told)}")


async def _ask_sentinel(address: RedisAddress, host: tuple[str, int]) -> tuple[str, int]:
    """Ask a Sentinel where the primary is."""
    sentinel = await _connect(address, host, address.sentinel_login, 0)
    try:
        found = await sentinel.call(
            "SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.sentinel_name or ""
        )
    finally:
        await sentinel.close()
    match found:
        case None:
            raise LinkLost(f"it knows no {address.sentinel_name}")
        case [bytes(name), bytes(port)] if port.isdigit():
            return name.decode(errors="replace"), int(port)
    raise LinkLost("it answers what no Sentinel does")


async def _connect(
    address: RedisAddress, host: tuple[str, int], login: RedisLogin | None, database: int
) -> Link:
    kind: type[Connection] = Connection
    options: dict[str, Any] = {}
    if address.tls:
        kind, options = SSLConnection, {"ssl_ca_certs": address.ca_file}
    connection = kind(
        host=host[0],
        port=host[1],
        db=database,
        username=login.user or None if login else None,
        password=login.password.reveal() if login else None,
        # One bound for all that is sent at once takes the place of these.
        socket_timeout=None,
        socket_connect_timeout=CONNECT_SECONDS,
        client_name=CLIENT_NAME,
        driver_info=None,
        retry=None,
        **options,
    )
    link = Link(connection)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
    except AuthenticationError:
        await link.close()
        raise LinkRefused("it refuses the user or the password", permanent=True) from None
    except BusyLoadingError as error:
        await link.close()
        raise LinkLost(_told(error)) from None
    except NoPermissionError as error:
        await link.close()
        raise LinkRefused(f"the user lacks a right: {_told(error)}", permanent=True) from None
    except (TimeoutError, RedisTimeoutError):
        await link.close()
        raise LinkLost(f"there was no answer within {CONNECT_SECONDS:g} seconds") from None
    except ResponseError as error:
        await link.close()
        raise LinkRefused(f"{type(error).__name__}: {_told(error)}") from None
    except RedisError as error:
        await link.close()
        raise LinkLost(_told(error)) from None
    return link


def _told(error: Exception) -> str:
    # A server repeats a command that it does not know, and a password may be among its words.
    text, _, _ = str(error).partition(", with args beginning with")
    return text.rstrip(".") or type(error).__name__
