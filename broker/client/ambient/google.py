"""Google Cloud: the metadata server gives ID tokens of the machine's service account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from broker.client.errors import NoIdentity
from broker.client.http import send
from broker.client.identity import is_jwt
from broker.client.token_files import digest

if TYPE_CHECKING:
    import httpx

_WHAT: Final = "the metadata server of Google Cloud"
_HOST: Final = "metadata.google.internal"
_PRODUCT: Final = Path("/sys/class/dmi/id/product_name")
_SAYS_SO: Final = ("K_SERVICE", "CLOUD_RUN_JOB", "FUNCTION_NAME", "GAE_SERVICE")


def is_google(environment: Mapping[str, str], product: Path = _PRODUCT) -> bool:
    """Tell whether this runs on Google Cloud, without asking the network."""
    if environment.get("GCE_METADATA_HOST") or any(map(environment.get, _SAYS_SO)):
        return True
    try:
        return "Google" in product.read_text(errors="replace")
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class GoogleMetadata:
    """The metadata server."""

    host: str
    connect: "Callable[[], httpx.Client]" = field(repr=False)
    name: str = field(default="Google Cloud", init=False)
    renewable: bool = field(default=True, init=False)

    @classmethod
    def of(
        cls, environment: Mapping[str, str], connect: "Callable[[], httpx.Client]"
    ) -> "GoogleMetadata":
        """Find the server."""
        return cls(environment.get("GCE_METADATA_HOST") or _HOST, connect)

    def fetch(self, audience: str) -> str:
        """Get an ID token. Raises `NoIdentity`, `BrokerTrouble` and `TryAgain`."""
        query = urlencode({"audience": audience, "format": "full"})
        place = "computeMetadata/v1/instance/service-accounts/default/identity"
        answer = send(
            self.connect(),
            _WHAT,
            "GET",
            f"http://{self.host}/{place}?{query}",
            headers={"metadata-flavor": "Google"},
        )
        token = answer.body.decode(errors="replace").strip()
        if answer.status != HTTPStatus.OK or not is_jwt(token):
            raise NoIdentity(
                f"{_WHAT} answered with {answer.status} and gave no ID token: has the machine a"
                " service account?"
            )
        return token

    def fingerprint(self) -> str:
        """Tell the machine's identity; it is the same for all that runs there."""
        return digest("google", self.host)

    def wants_audience(self) -> bool:
        """The server writes what it is asked for."""
        return True
