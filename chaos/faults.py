"""What happens to a broker: processes killed, stopped and started, files locked and changed.

With a store in Redis its server is one of the processes.
"""

import asyncio
import os
import random
import signal
from dataclasses import dataclass

import apsw
import httpx

from chaos.clients import Clients
from chaos.installation import Installation
from tests.redis_server import RedisServer


@dataclass
class Faults:
    """Does one thing after the other to a broker, chosen by chance."""

    broker: Installation
    clients: Clients
    rng: random.Random
    redis: RedisServer | None = None
    """The server of a store in Redis; None for one in SQLite."""

    async def run(self, until: float) -> dict[str, int]:
        """Do harm until the loop's time is `until`; tell what was done how often."""
        faults = {
            "power cut": self.power_cut,
            "worker killed": self.worker_killed,
            "worker stopped": self.worker_stopped,
            "restart": self.restart,
            "policies changed": self.policies_changed,
        }
        if self.redis is None:
            faults["store locked"] = self.store_locked
        else:
            server = RedisFaults(self.redis, self.rng)
            faults["redis killed"] = server.killed
            faults["redis stopped"] = server.stopped
            faults["redis full"] = server.full
        done = dict.fromkeys(faults, 0)
        while asyncio.get_running_loop().time() < until:
            name = self.rng.choice(list(faults))
            await faults[name]()
            done[name] += 1
            await asyncio.sleep(self.rng.uniform(0.1, 1.0))
            if not self.broker.alive():
                raise SystemExit("the broker has ended by itself:\n" + self.broker.log_end())
        return done

    async def power_cut(self) -> None:
        """Kill every process with no warning, and start anew."""
        self.broker.kill()
        await asyncio.to_thread(self.broker.start)

    async def worker_killed(self) -> None:
        """Kill one process that serves; a lonely one has to be started anew."""
        [pid] = self.rng.sample(self.broker.processes(), 1)
        if not self.broker.workers():
            await self.power_cut()
            return
        os.kill(pid, signal.SIGKILL)

    async def worker_stopped(self) -> None:
        """Stop a process in the middle of whatever it does, and let it go on a while later."""
        pid = self.rng.choice(self.broker.processes())
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.2, 1.5))
        os.kill(pid, signal.SIGCONT)

    async def restart(self) -> None:
        """Stop the broker as an operator does, and start it."""
        await asyncio.to_thread(self.broker.stop)
        await asyncio.to_thread(self.broker.start)

    async def store_locked(self) -> None:
        """Hold the database locked, as another program does that writes to it."""
        connection = apsw.Connection(str(self.broker.database))
        connection.set_busy_timeout(5000)
        try:
            await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
            await asyncio.sleep(self.rng.uniform(0.1, 1.0))
            connection.execute("ROLLBACK")
        except apsw.BusyError:
            return
        finally:
            connection.close()

    async def policies_changed(self) -> None:
        """Open or close the door; what counts is the answer to the reload."""
        door, opened = self.clients.door, self.rng.random() < 0.5
        door.changes += 1
        door.opened = None
        self.broker.set_door(opened=opened)
        async with httpx.AsyncClient(base_url=self.broker.url, timeout=20) as http:
            token = await self.clients.operator_token(http)
            if token is None:
                return
            headers = {"authorization": f"Bearer {token}"}
            try:
                answer = await http.post("/api/v1/policies/reload", headers=headers)
            except httpx.HTTPError:
                return
        if answer.status_code == httpx.codes.OK:
            door.opened = opened


@dataclass
class RedisFaults:
    """What happens to the server of a store in Redis."""

    server: RedisServer
    rng: random.Random

    async def killed(self) -> None:
        """Kill the server as a power cut would, and start it a while later."""
        self.server.kill()
        await asyncio.sleep(self.rng.uniform(0, 0.5))
        await asyncio.to_thread(self.server.start)

    async def stopped(self) -> None:
        """Stop the server in the middle of whatever it does, longer than is waited for at times."""
        self.server.pause()
        await asyncio.sleep(self.rng.uniform(0.2, 5))
        self.server.resume()

    async def full(self) -> None:
        """Leave the server no memory for a while."""
        self.server.command("CONFIG", "SET", "maxmemory", 1)
        await asyncio.sleep(self.rng.uniform(0.1, 1.0))
        self.server.command("CONFIG", "SET", "maxmemory", 0)
