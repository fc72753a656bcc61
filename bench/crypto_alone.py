"""What the cryptography of one exchange costs alone: the floor below every broker."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

MESSAGE = b"x" * 900
TIMES = 200


@dataclass(slots=True)
class CryptoAlone:
    """Microseconds of each operation, a number per round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)
    _calls: dict[str, Callable[[], object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the keys."""
        algorithms: dict[str, Algorithm] = get_default_algorithms()
        rs256, es256 = algorithms["RS256"], algorithms["ES256"]
        rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        ec_key = ec.generate_private_key(ec.SECP256R1())
        public, signature = rsa_key.public_key(), rs256.sign(MESSAGE, rsa_key)
        self._calls = {
            "verify RS256": lambda: rs256.verify(MESSAGE, public, signature),
            "sign ES256": lambda: es256.sign(MESSAGE, ec_key),
            "sign RS256": lambda: rs256.sign(MESSAGE, rsa_key),
        }

    def measure(self) -> None:
        """Take one round, in this process."""
        for name, call in self._calls.items():
            call()
            started = time.thread_time()
            for _ in range(TIMES):
                call()
            spent = (time.thread_time() - started) / TIMES * 1e6
            self.rounds.setdefault(name, []).append(spent)
