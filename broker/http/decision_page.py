"""`/d/{decision_id}`: where the link of a refusal leads, and how its decision is looked up.

NOTE: Nothing is looked up here, and nobody is asked who they are. The answer is the same for every
id of the right form, so that it tells neither whether there is such a decision nor anything of it;
the two levels of explanation (contract §5) stay those of the refusal and of the audit.
"""

from html import escape
from typing import Final

from starlette.requests import Request

from broker.core.decision_link import is_decision_id
from broker.http.answers import NO_STORE, Answer, Headers, problem_answer
from broker.http.parameters import header_values

_HEADERS: Final[Headers] = [
    *NO_STORE,
    (b"vary", b"accept"),
    # Not a script, a style, an image or a form: it is text, and stands in no other page.
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-robots-tag", b"noindex, nofollow"),
]
_TITLE: Final = "A decision of the token broker"
_WHAT: Final = (
    "This is the id of a decision on a request for a token. What was decided, and whether there is"
    " such a decision at all, is not told here."
)
_OWN: Final = (
    "If the pipeline is yours: its log says why it was refused, as far as it may know. For a"
    " decision without a token, and what would help, run in the job:"
)
_OPERATOR: Final = "If you run the broker, beside its store:"
_API: Final = "Or ask its API, with the scope broker:audit:read:"


class DecisionPage:
    """Says what a decision's id is good for."""

    def __init__(self, issuer: str) -> None:
        """`issuer` is the broker's public URL."""
        self._issuer = issuer

    async def show(self, request: Request) -> Answer:
        """Answer with a page for a browser, with plain text for anything else."""
        decision_id: str = request.path_params["decision_id"]
        if not is_decision_id(decision_id):
            # What came is not repeated.
            return problem_answer(404, "NOT_FOUND", "this is not the id of a decision", NO_STORE)
        parts = self._parts(decision_id)
        accepted = header_values(request.scope, b"accept")
        if any("text/html" in each.lower() for each in accepted):
            return _answer(b"text/html; charset=utf-8", _html(decision_id, parts))
        return _answer(b"text/plain; charset=utf-8", _text(decision_id, parts))

    def _parts(self, decision_id: str) -> list[tuple[str, str]]:
        """List who can find out more, each with what to run or to ask for."""
        api = f"{self._issuer}/api/v1/audit-logs?decision_id={decision_id}"
        return [
            (_OWN, "broker explain SERVICE"),
            (_OPERATOR, f"broker audit explain {decision_id}"),
            (_API, f"GET {api}"),
        ]


def _answer(media: bytes, text: str) -> Answer:
    return Answer(200, text.encode(), [(b"content-type", media), *_HEADERS])


def _text(decision_id: str, parts: list[tuple[str, str]]) -> str:
    told = "".join(f"\n{who}\n\n    {how}\n" for who, how in parts)
    return f"{_TITLE}: {decision_id}\n\n{_WHAT}\n{told}"


def _html(decision_id: str, parts: list[tuple[str, str]]) -> str:
    told = "".join(
        f"<p>{escape(who)}</p>\n<pre><code>{escape(how)}</code></pre>\n" for who, how in parts
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(_TITLE)}</title>\n</head>\n<body>\n<h1>{escape(_TITLE)}</h1>\n"
        f"<p><code>{escape(decision_id)}</code></p>\n<p>{escape(_WHAT)}</p>\n{told}"
        "</body>\n</html>\n"
    )
