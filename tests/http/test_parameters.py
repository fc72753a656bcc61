"""The parameters of a request: each once, in the body alone, of clean text."""

import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import Reason, RequestRefused
from broker.grants.request import Parameters
from broker.http.parameters import MAX_PARAMETERS, _form_pairs, read_parameters
from tests.http.asgi import FORM, a_scope, receiving

JSON = (b"content-type", b"application/json")


async def from_form(body: bytes) -> Parameters:
    return await read_parameters(a_scope(headers=[FORM]), receiving(body), json_allowed=False)


async def from_json(body: bytes | object) -> Parameters:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await read_parameters(a_scope(headers=[JSON]), receiving(text), json_allowed=True)


@pytest.mark.parametrize(
    "body",
    [
        b"scope=a&scope=a",
        b"scope=&scope=a",
        b"scope=a&sc%6Fpe=b",
        b"client_id=a%00b",
        b"client_id=a%0D%0Ab",
        b"client_id=%7F",
        b"scope=%FF",
        b"scope=%ED%A0%80",
        "scope=é".encode(),
        b"&".join(b"p%d=x" % number for number in range(MAX_PARAMETERS + 1)),
    ],
    ids=lambda body: body[:20],
)
async def test_a_form_that_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        await from_form(body)

    assert caught.value.reason is Reason.MALFORMED_REQUEST


@given(st.text("ab=&+%0289cCfF", max_size=30))
def test_a_form_is_read_as_the_standard_library_does(form: str) -> None:
    def read() -> list[tuple[str, str]] | str:
        try:
            return list(_form_pairs(form))
        except UnicodeError:
            return "refused"

    try:
        expected: list[tuple[str, str]] | str = parse_qsl(
            form, keep_blank_values=True, errors="strict"
        )
    except UnicodeError:
        expected = "refused"
    assert read() == expected


async def test_targets_may_be_repeated() -> None:
    assert await from_form(b"audience=a&audience=a&resource=b&resource=c") == {
        "audience": ["a", "a"],
        "resource": ["b", "c"],
    }


async def test_what_has_a_judge_of_its_own_may_hold_anything() -> None:
    parameters = await from_form(b"scope=a%0Ab&subject_token=%00&assertion=%7F")

    assert parameters == {"scope": ["a\nb"], "subject_token": ["\0"], "assertion": ["\x7f"]}


async def test_a_query_is_refused_even_beside_a_good_body() -> None:
    scope = a_scope(query_string=b"scope=secret-mark")

    with pytest.raises(RequestRefused) as caught:
        await read_parameters(scope, receiving(b"grant_type=x"), json_allowed=False)

    assert caught.value.reason is Reason.MALFORMED_REQUEST
    assert "secret-mark" not in caught.value.description


async def test_a_json_object_has_texts_a_number_and_lists_of_targets() -> None:
    members = {"expires_in": 60, "audience": ["a", "b"], "resource": "c", "scope": "d e"}

    assert await from_json(members) == {
        "expires_in": ["60"],
        "audience": ["a", "b"],
        "resource": ["c"],
        "scope": ["d e"],
    }


async def test_the_number_may_be_a_text() -> None:
    assert await from_json({"expires_in": "60"}) == {"expires_in": ["60"]}


@pytest.mark.parametrize(
    "members",
    [
        b"[]",
        b"{",
        b'{"a": "b", "a": "b"}',
        b'{"a": NaN}',
        {"scope": None},
        {"scope": 7},
        {"scope": ["a"]},
        {"scope": {"a": "b"}},
        {"expires_in": True},
        {"expires_in": 1.5},
        {"expires_in": [60]},
        {"audience": [7]},
        {"audience": [["a"]]},
        {"client_id": "a\nb"},
        {f"p{number}": "x" for number in range(MAX_PARAMETERS + 1)},
    ],
    ids=lambda members: str(members)[:24],
)
async def test_any_other_json_is_refused(members: object) -> None:
    with pytest.raises(RequestRefused) as caught:
        await from_json(members)

    assert caught.value.reason is Reason.MALFORMED_REQUEST


async def test_the_name_of_a_parameter_is_not_echoed_at_length() -> None:
    with pytest.raises(RequestRefused) as caught:
        await from_form(b"n" * 5000 + b"=%00")

    assert len(caught.value.description) < 200
    with pytest.raises(RequestRefused) as caught:
        await from_json({"n" * 5000: 7})

    assert len(caught.value.description) < 200
