"""Ids put into policy files: one line more or one member more, and every other byte as it was."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.policy_files.build import read_document
from broker.policy_files.insertions import Addition, Edited, edited
from broker.policy_files.unified_diff import unified_diff
from broker.yaml_document import DocumentRefused

MATCH: Final = ("policies", "web", "match")
WEB: Final = Addition(MATCH, "repository", "repository_id", ("456789",))
TWO: Final = Addition(MATCH, "repository", "repository_id", ("456789", "7"))
OWNER: Final = Addition(MATCH, "repository_owner", "repository_owner_id", ("1" * 19,))


def edit(text: str, *additions: Addition) -> Edited:
    """Edit a text; nothing is refused."""
    result, refused = edited(read_document(text, "web.yaml"), additions or (WEB,))
    assert refused == {}
    return result


def refusal(text: str, addition: Addition = WEB) -> str:
    """Try to edit a text; nothing is."""
    result, refused = edited(read_document(text, "web.yaml"), (addition,))
    assert result.after == text
    return refused[addition]


def without_insertions(result: Edited) -> str:
    """Take the insertions out of the text of after."""
    text, _moved = result.after, 0
    for each in result.insertions:
        at = each.offset
        assert text[at : at + len(each.text)] == each.text
        text = text[:at] + text[at + len(each.text) :]
    return text


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (
            "      repository: acme/web\n",
            "      repository: acme/web\n      repository_id: 456789\n",
        ),
        ("      repository: acme/web", "      repository: acme/web\n      repository_id: 456789"),
        (
            "      repository: acme/web  # whose\n      # and\n\n      ref: x\n",
            (
                "      repository: acme/web  # whose\n      repository_id: 456789\n      # and\n\n"
                "      ref: x\n"
            ),
        ),
        (
            "      \"repository\": 'acme/web'\n      ref: x\n",
            '      "repository": \'acme/web\'\n      "repository_id": 456789\n      ref: x\n',
        ),
        (
            "      ref: x\n      'repository':\n        acme/web\n",
            "      ref: x\n      'repository':\n        acme/web\n      repository_id: 456789\n",
        ),
        (
            (
                "      repository:   # these\n        - acme/web\n        # old\n"
                "        - 'acme/api' # x\n"
                "\n      # next\n      ref: x\n"
            ),
            (
                "      repository:   # these\n        - acme/web\n        # old\n"
                "        - 'acme/api' # x\n"
                "      repository_id: 456789\n\n      # next\n      ref: x\n"
            ),
        ),
        (
            "      repository:\n      - acme/web\n      ref: x\n",
            "      repository:\n      - acme/web\n      repository_id: 456789\n      ref: x\n",
        ),
        (
            "      repository: [acme/web, # one\n        acme/api] # two\n      ref: x\n",
            (
                "      repository: [acme/web, # one\n        acme/api] # two\n"
                "      repository_id: 456789\n      ref: x\n"
            ),
        ),
        (
            '      repository: "acme/\n\n        web"\n',
            '      repository: "acme/\n\n        web"\n      repository_id: 456789\n',
        ),
    ],
)
def test_a_line_goes_below_the_value(match: str, expected: str) -> None:
    head = "# top\npolicies:\n  other: {issuer: a}\n  web:\n    issuer: github\n    match:\n"
    result = edit(head + match)

    assert result.after == head + expected
    assert without_insertions(result) == head + match


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ("{repository: acme/web}", "{repository: acme/web, repository_id: 456789}"),
        (
            "{ repository: acme/web , ref: x }",
            "{ repository: acme/web, repository_id: 456789 , ref: x }",
        ),
        (
            '{"repository":"acme/web","ref":"x"}',
            '{"repository":"acme/web", "repository_id": 456789,"ref":"x"}',
        ),
        ("{repository: [a/b, 'c/d']}", "{repository: [a/b, 'c/d'], repository_id: 456789}"),
        (
            "{\n    repository: acme/web, # it\n    ref: x\n  }",
            "{\n    repository: acme/web, repository_id: 456789, # it\n    ref: x\n  }",
        ),
        (
            "{\n    repository: acme/web # it\n  }",
            "{\n    repository: acme/web, repository_id: 456789 # it\n  }",
        ),
    ],
)  # fmt: skip
def test_a_member_goes_between_braces(web: str, expected: str) -> None:
    for before, after in (
        ("policies: {web: {issuer: github, match: ", "}} # end\n"),
        ("policies:\n  web:\n    match: ", "\n    issuer: github\n"),
        ("policies:\n  web: {match: ", "}"),
    ):
        result = edit(before + web + after)
        assert result.after == before + expected + after
        assert without_insertions(result) == before + web + after


def test_json_stays_json() -> None:
    text = json.dumps({"policies": {"web": {"match": {"repository": "acme/web"}}}}, indent=1)

    assert json.loads(edit(text).after) == {
        "policies": {"web": {"match": {"repository": "acme/web", "repository_id": 456789}}}
    }


def test_several_go_into_one_file_at_once() -> None:
    head = "policies:\n  web:\n    match:\n"
    text = f"{head}      repository_owner: acme\n      repository: [a/b, c/d]\n"

    assert edit(text, TWO, OWNER).after == (
        "policies:\n  web:\n    match:\n      repository_owner: acme\n"
        '      repository_owner_id: "1111111111111111111"\n      repository: [a/b, c/d]\n'
        "      repository_id: [456789, 7]\n"
    )


def test_two_beside_one_member_stand_in_their_order() -> None:
    text = "tests:\n  - claims: {ref: x}\n  - claims:\n      ref: x\n"
    ids = [("repository_id", "1"), ("repository_owner_id", "2")]
    additions = [
        Addition(("tests", index, "claims"), "ref", key, (found,))
        for index in (0, 1)
        for key, found in ids
    ]

    assert edit(text, *additions).after == (
        "tests:\n  - claims: {ref: x, repository_id: 1, repository_owner_id: 2}\n"
        "  - claims:\n      ref: x\n      repository_id: 1\n      repository_owner_id: 2\n"
    )


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("      repository: |-\n        acme/web\n      ref: x\n", "its value is a block of text"),
        ("      repository: >-\n        acme/web\n", "its value is a block of text"),
        ("      ? repository\n      : acme/web\n", "its key does not begin a line"),
        ("      ref: x\n", "there is nothing to put it beside"),
        (
            "      repository: a/b\n      repository_id: 1\n",
            "the file would not say what it should",
        ),
    ],
)
def test_what_cannot_be_edited_is_refused_with_its_reason(match: str, why: str) -> None:
    assert refusal("policies:\n  web:\n    match:\n" + match) == why


@pytest.mark.parametrize("text", ["a: b\r\n", "\ufeffa: b\n", "a:\tb\n"])
def test_files_of_other_line_ends_or_with_a_mark_do_not_load_to_begin_with(text: str) -> None:
    with pytest.raises(DocumentRefused):
        read_document(text, "web.yaml")


def test_what_is_to_be_pasted_is_one_line() -> None:
    assert TWO.line() == "repository_id: [456789, 7]"


quotes = st.sampled_from(["{}", '"{}"', "'{}'"])
comments = st.sampled_from(["", "  # a: b, {c}", " # \u00fc'\""])
gaps = st.sampled_from(["", "\n", "      # of its own\n"])
names = st.sampled_from(["acme/web", "acme/a-b.c", "A/b"])


@st.composite
def values(draw: st.DrawFn, *, flow: bool) -> str:
    """A name or a list of them, however it may be written."""
    items = draw(st.lists(names, min_size=1, max_size=3))
    written = [draw(quotes).format(each) for each in items]
    style = draw(st.sampled_from(["one", "flow"] if flow else ["one", "flow", "block"]))
    if style == "one":
        return f" {written[0]}"
    if style == "flow":
        return f" [{draw(st.sampled_from([', ', ' , ', ',   '])).join(written)}]"
    indent = draw(st.sampled_from([6, 8]))
    return "".join(f"\n{draw(gaps)}{' ' * indent}- {each}" for each in written)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with one policy among others, in block or in flow style."""
    keys = draw(st.permutations(["repository", "ref", "environment"]))
    others = {"ref": " refs/heads/main", "environment": " {glob: 'p*'}"}
    end = draw(st.sampled_from(["", "\n", "\n\n# the end\n"]))
    if draw(st.booleans()):
        members = [
            f"{draw(quotes).format(key)}:{others.get(key) or draw(values(flow=True))}"
            for key in keys
        ]
        space = draw(st.sampled_from(["", " "]))
        inner = "{" + space + ", ".join(members) + space + "}"
        return f"policies:\n  web: {{issuer: github, match: {inner}}}{draw(comments)}{end}"
    lines = [
        f"{draw(gaps)}      {draw(quotes).format(key)}:"
        f"{others.get(key) or draw(values(flow=False))}{draw(comments)}"
        for key in keys
    ]
    after = draw(st.sampled_from(["", "\n    issuer: github", "\n  next: {issuer: github}"]))
    return "policies:\n  web:\n    match:\n" + "\n".join(lines) + after + end


@given(files(), st.sampled_from([WEB, TWO]))
def test_whatever_the_layout_the_file_says_one_condition_more(text: str, added: Addition) -> None:
    before = read_document(text, "web.yaml").value
    result = edit(text, added)
    after: Any = read_document(result.after, "web.yaml").value

    assert after["policies"]["web"]["match"].pop("repository_id") == added.written
    assert after == before
    assert without_insertions(result) == text
    assert applied(text, unified_diff(result, "web.yaml")) == result.after


def applied(text: str, diff: str) -> str:
    """Apply a unified diff, as a reader of the format does."""
    lines, found, at = text.splitlines(keepends=True), [], 0
    hunks = diff.split("\n@@ ")[1:]
    for hunk in hunks:
        head, _, body = hunk.partition("\n")
        first = int(head[1:].split(",")[0]) - 1
        found += lines[at:first]
        at = first
        body = body.removesuffix("\n")
        previous = ""
        for line in body.split("\n"):
            sign, content = line[:1], line[1:] + "\n"
            if sign == "\\":
                if previous in " +":
                    found[-1] = found[-1].removesuffix("\n")
                continue
            if sign in " -":
                assert lines[at].rstrip("\n") == content.rstrip("\n")
                at += 1
            if sign in " +":
                found.append(content)
            previous = sign
    return "".join([*found, *lines[at:]])


def test_a_diff_is_what_git_applies() -> None:
    text = (
        "policies:\n  web: {match: {repository: a/b}}\n"
        + "# x\n" * 20
        + ("tests:\n  - claims:\n      repository: a/b")
    )
    also = Addition(("tests", 0, "claims"), "repository", "repository_id", ("7",))

    assert unified_diff(edit(text, WEB, also), "web.yaml") == (
        "--- a/web.yaml\n+++ b/web.yaml\n@@ -1,5 +1,5 @@\n policies:\n"
        "-  web: {match: {repository: a/b}}\n"
        "+  web: {match: {repository: a/b, repository_id: 456789}}\n # x\n # x\n # x\n"
        "@@ -22,4 +22,5 @@\n # x\n tests:\n   - claims:\n-      repository: a/b\n"
        "\\ No newline at end of file\n+      repository: a/b\n+      repository_id: 7\n"
        "\\ No newline at end of file\n"
    )


def test_no_insertion_is_no_diff() -> None:
    assert unified_diff(Edited("web.yaml", "a: b\n", ()), "web.yaml") == ""
