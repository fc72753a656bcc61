"""What happens to a broker: processes killed, stopped and started, files locked and changed."""

import asyncio
import os
import random
import signal
from dataclasses import dataclass

import apsw
import httpx

from chaos.clients import Clients
from chaos.installation import Installation


@dataclass
class Faults:
    """Does one thing after the other to a broker, chosen by chance."""

    broker: Installation
    clients: Clients
    rng: random.Random

    async def run(self, until: float) -> dict[str, int]:
        """Do harm until the loop's time is `until`; tell what was done how often."""
        faults = {
            "power cut": self.power_cut,
            "worker killed": self.worker_killed,
            "worker stopped": self.worker_stopped,
            "restart": self.restart,
            "store locked": self.store_locked,
            "policies changed": self.policies_changed,
        }
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
