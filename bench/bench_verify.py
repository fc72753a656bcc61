"""Verifying a service token, beside others and the bare signature: `make bench-verify`.

Tokens are as large as those of a CI job on GitHub; each is verified once per round, but for the row
of those that come again.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwk
from joserfc import jwt as joserfc_jwt

from bench.rounds import ROUNDS, write
from broker.core import access_token
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.signing.key_pairs import generate
from broker.verify import Verifier

TOKENS: Final = 400
ISSUER: Final = "https://broker.example"
AUDIENCE: Final = "https://deploy.example"
ROW: Final = "{:34} {:>8.1f} {:>7.1f} {:>7.1f} {:>9.2f}"

Verify = Callable[[str], object]


def main() -> None:
    """Run the rounds and print a table for each algorithm."""
    numbers: dict[str, Any] = {}
    with node() as jose:
        for algorithm in ("RS256", "ES256"):
            numbers[algorithm] = measure(algorithm, jose)
    write("verify", {"rows": numbers, "tokens": TOKENS})


def measure(algorithm: str, jose: "Jose") -> dict[str, Any]:
    """Take all rounds of one algorithm, every row once per round."""
    key = new_key(algorithm)
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": [key.public]}))
    rounds: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        tokens = [token(key, number * TOKENS + each) for each in range(TOKENS)]
        verifier = Verifier(ISSUER, audience=AUDIENCE, jwks_file=file)
        verifier.verify(token(key, -1))
        rows: dict[str, Verify] = {
            "bare signature": bare(key),
            "broker.verify, first": verifier.verify,
            "broker.verify, again": verifier.verify,
            "PyJWT": pyjwt(key),
            "joserfc": joserfc(key),
        }
        taken = {name: spent(verify, tokens) for name, verify in rows.items()}
        taken["npm jose"] = jose(tokens, key)
        if number:  # the first round warms up
            for name, microseconds in taken.items():
                rounds.setdefault(name, []).append(microseconds)
    floor = rounds["bare signature"]
    print(f"{algorithm + ', µs of CPU':34} {'median':>8} {'min':>7} {'max':>7} {'of bare':>9}")
    numbers: dict[str, Any] = {}
    for name, each in rounds.items():
        share = statistics.median(bare / own for bare, own in zip(floor, each, strict=True))
        print(ROW.format(name, statistics.median(each), min(each), max(each), share))
        numbers[name] = {"us": each, "of_bare": share}
    return numbers


def spent(verify: Verify, tokens: Sequence[str]) -> float:
    """Give the microseconds of CPU that each takes."""
    started = time.thread_time()
    for each in tokens:
        verify(each)
    return (time.thread_time() - started) / len(tokens) * 1e6


def new_key(algorithm: str) -> SigningKey:
    """Make a key that signs for ever."""
    return SigningKey.of(generate(algorithm), algorithm, SigningSchedule(0, 0))


def token(key: SigningKey, number: int) -> str:
    """Sign the token of one job."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "deploy-web",
        "aud": AUDIENCE,
        "exp": now + 600,
        "iat": now,
        "nbf": now,
        "jti": f"019e0000-0000-7000-8000-{number & 0xFFFFFFFF:012d}",
        "client_id": "deploy-web",
        "token_type": "service",
        "scope": "deploy:read deploy:write",
        "act": {
            "iss": "https://token.actions.githubusercontent.com",
            "sub": "repo:acme/web:ref:refs/heads/main",
        },
        "policy": "web-production",
        "workload": {
            "platform": "github",
            "repository": "acme/web",
            "repository_id": "456789",
            "ref": "refs/heads/main",
            "sha": "8f3c1d2e4b5a69788796a5b4c3d2e1f001122334",
            "run_id": "11223344556",
            "run_attempt": "1",
        },
    }
    text = access_token.unsigned(claims, key, "at+jwt")
    return access_token.signed(text, key.sign(text))


def bare(key: SigningKey) -> Verify:
    """Verify signatures alone, with `cryptography` and all decoding done before."""
    public: Any = key.private_key.public_key()
    message = b"x" * 830
    signature = key.sign(message)
    if key.algorithm == "RS256":
        return lambda _: public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    half = len(signature) // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    return lambda _: public.verify(der, message, ec.ECDSA(hashes.SHA256()))


def pyjwt(key: SigningKey) -> Verify:
    """Verify as the documentation's example without our package does."""
    public: Any = key.private_key.public_key()
    options: Any = {"require": ["exp", "iat", "sub", "client_id"], "strict_aud": True}

    def verify(text: str) -> object:
        return jwt.decode(text, public, [key.algorithm], options, issuer=ISSUER, audience=AUDIENCE)

    return verify


def joserfc(key: SigningKey) -> Verify:
    """Verify with joserfc and its registry of claims."""
    public = jwk.import_key(cast("dict[str, str | list[str]]", key.public))
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
    )

    def verify(text: str) -> object:
        decoded = joserfc_jwt.decode(text, public, algorithms=[key.algorithm])
        claims.validate(decoded.claims)
        return decoded

    return verify


class Jose:
    """npm jose in a process of its own."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def __call__(self, tokens: Sequence[str], key: SigningKey) -> float:
        """Give the microseconds of CPU that each takes."""
        question = {
            "tokens": tokens,
            "jwk": key.public,
            "alg": key.algorithm,
            "issuer": ISSUER,
            "audience": AUDIENCE,
        }
        self._stdin.write(json.dumps(question) + "\n")
        self._stdin.flush()
        return float(self._stdout.readline())


@contextmanager
def node() -> Iterator[Jose]:
    """Run npm jose until the block ends."""
    script = Path(__file__).parent / "peers/verify_jose.mjs"
    pipe = subprocess.PIPE
    with subprocess.Popen(["node", script], stdin=pipe, stdout=pipe, text=True) as process:
        stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        with stdin:
            yield Jose(stdin, stdout)


if __name__ == "__main__":
    main()
