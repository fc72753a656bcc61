"""What the process that reads answers; here without a process, to see each part of it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.core.delegation import Delegation
from broker.core.steps import finish
from broker.messages import Message
from broker.reload.fingerprint import changed_since, entry, fingerprint_now
from broker.reload.known_texts import KnownTexts
from broker.reload.reading_process import MAX_PROBLEMS, Memory, read, rehearse, serve
from broker.reload.sources import PolicySources
from broker.reload.transport import unpickled
from broker.yaml_document import Document
from tests.reload.policy_folders import BASE, BROKEN, FAILING_TEST, MAIN, policy, write
from tests.reload.test_sources import PARAMETERS

NOW = 1_800_000_000.0
CORP = "issuers: {corp: {preset: gitlab, issuer: 'https://g.example', jwks_file: keys.json}}\n"


def order(folder: Path, known: Message | None = None, **changes: Any) -> Message:
    """Order a folder to be read, by a broker that knows the texts of an answer before."""
    outlines = known.header["outlines"] if known else []
    header = {
        "do": "read",
        "folder": str(folder),
        "parameters": PARAMETERS.as_json(),
        "now": NOW,
        "known": outlines,
        "outlines": outlines,
    }
    parts = known.parts[len(known.parts) - len(outlines) :] if known else ()
    return Message({**header, **changes}, parts)


def asked(folder: Path, **changes: Any) -> Message:
    return Message.decode(serve(order(folder, **changes), Memory()).encode())


def rebuilt(version: str, packed: bytes, parameters: Any = None) -> Message:
    header = {"do": "rebuild", "version": version, "parameters": parameters}
    return serve(Message(header, [packed]), Memory())


def problems(answer: Message) -> list[str]:
    assert not answer.header["loaded"]
    return [each[3] for each in answer.header["problems"]]


def version_of(answer: Message) -> str:
    assert answer.header["loaded"], answer.header
    return finish(unpickled(answer.parts[1])).version


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=MAIN)
    answer = asked(folder)

    assert answer.header["loaded"]
    policy_set = finish(unpickled(answer.parts[1]))
    assert list(policy_set.policies) == ["main"]
    assert answer.header["fingerprint"] == fingerprint_now(folder, ())


def test_problems_are_told_with_their_places(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, base_yaml=BASE, broken_yaml=BROKEN))

    assert answer.header["problem_count"] == 1
    [[file, line, column, message]] = answer.header["problems"]
    assert (file, line, column) == (f"{tmp_path}/broken.yaml", 2, 47)
    assert "there is no issuer `nobody`" in message


def test_very_many_problems_are_counted_and_the_first_told(tmp_path: Path) -> None:
    entries = "".join(f"  p{number}: {{}}\n" for number in range(300))
    answer = asked(write(tmp_path, broken_yaml=f"policies:\n{entries}"))

    assert len(answer.header["problems"]) == MAX_PROBLEMS
    assert answer.header["problem_count"] >= 300


def test_a_set_whose_tests_fail_does_not_load(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, base_yaml=BASE, main_yaml=MAIN, tests_yaml=FAILING_TEST))

    [message] = problems(answer)
    assert "test `strangers deploy` fails" in message


def test_lapsed_tests_are_told_and_no_fault(tmp_path: Path) -> None:
    expired = policy("old", expires="2020-01-01") + FAILING_TEST.replace("evil/web", "acme/web")
    answer = asked(write(tmp_path, base_yaml=BASE, old_yaml=expired))

    assert answer.header["loaded"], answer.header
    [lapsed] = answer.header["lapsed"]
    assert (lapsed["place"], lapsed["test"]) == (f"{tmp_path}/old.yaml:3", "strangers deploy")
    assert lapsed["fault"].startswith("expected permit")


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    answer = asked(folder)

    assert problems(answer) == ["there is no such folder"]
    assert answer.header["fingerprint"] == fingerprint_now(folder, ())


def test_a_delegated_folder_holds_no_more_than_it_may(tmp_path: Path) -> None:
    web = Delegation("web", ("policies",), ("allow",), ("web-*",))
    delegating = replace(PARAMETERS, folders=(web,))
    write(write(tmp_path, base_yaml=BASE) / "web", web_yaml=policy("mine"))
    answer = asked(tmp_path, parameters=delegating.as_json())

    assert "`deploy-web`" in problems(answer)[0]
    assert asked(tmp_path).header["loaded"]


def test_the_rules_of_a_delegated_folder_are_kept_with_the_set(tmp_path: Path) -> None:
    web = Delegation("web", ("policies",), ("allow",), ("deploy-*",), ("deploy-api",))
    delegating = replace(PARAMETERS, folders=(web,))
    write(write(tmp_path, base_yaml=BASE) / "web", web_yaml=policy("mine"))
    answer = asked(tmp_path, parameters=delegating.as_json())
    again = rebuilt(version_of(answer), bytes(answer.parts[0]))
    stricter = replace(delegating, folders=(replace(web, service_accounts=("web-*",)),))

    assert again.header["loaded"]
    refused = rebuilt(version_of(answer), bytes(answer.parts[0]), stricter.as_json())
    assert "`deploy-web`" in problems(refused)[0]


def test_the_folder_for_development_must_be_there_with_dev_issuers(tmp_path: Path) -> None:
    dev = replace(PARAMETERS, loopback=True, dev_issuers={})
    answer = asked(write(tmp_path, base_yaml=BASE), parameters=dev.as_json())

    assert "--dev takes from it" in problems(answer)[0]


def test_the_folder_for_development_counts_with_dev_issuers_alone(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)
    write(tmp_path / "dev", dev_yaml=BROKEN)
    dev = replace(PARAMETERS, loopback=True, dev_issuers={})

    assert asked(tmp_path).header["loaded"]
    assert "no issuer `nobody`" in problems(asked(tmp_path, parameters=dev.as_json()))[0]


# --- files that policy files name ---


def test_named_files_are_told_and_kept(tmp_path: Path, jwks: bytes) -> None:
    folder = write(tmp_path, corp_yaml=CORP)
    (folder / "keys.json").write_bytes(jwks)
    answer = asked(folder)

    named = [str(folder / "keys.json")]
    assert answer.header["named_files"] == named
    assert answer.header["fingerprint"] == fingerprint_now(folder, named)
    kept = PolicySources.unpack(bytes(answer.parts[0]))
    assert kept.attachments == {(f"{folder}/corp.yaml", "keys.json"): jwks}


def test_named_files_are_told_also_when_they_are_missing(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, corp_yaml=CORP))

    assert not answer.header["loaded"]
    assert answer.header["named_files"] == [str(tmp_path / "keys.json")]


# --- files that change meanwhile ---


class Interrupted(KnownTexts):
    """Somebody writes into the folder while it is being read."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def read(self, text: str | bytes, file: str) -> Document:
        self._file.write_text("# written meanwhile\n")
        return super().read(text, file)


def long_ago(folder: Path) -> Path:
    """Wait until the files count as written before what follows."""
    while changed_since({str(path): entry(str(path)) for path in folder.iterdir()}, time.time_ns()):
        time.sleep(0.01)
    return folder


@pytest.mark.parametrize("name", ["base.yaml", "new.yaml", "keys.json"])
def test_a_folder_that_changes_while_it_is_read_is_noticed(
    tmp_path: Path, jwks: bytes, name: str
) -> None:
    folder = write(tmp_path, base_yaml=BASE, corp_yaml=CORP)
    (folder / "keys.json").write_bytes(jwks)
    long_ago(folder)

    assert not read(order(folder), Memory(Interrupted(folder / name))).header["stable"]
    long_ago(folder)
    assert asked(folder).header["stable"]


def test_a_file_written_a_moment_ago_is_left_alone_for_another(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE)
    (folder / "base.yaml").write_text(BASE)

    assert asked(folder).header["stable"]


def test_files_that_are_written_all_the_time_are_not_waited_for(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE)
    scribbling = Memory(Interrupted(folder / "base.yaml"))

    assert not serve(order(folder), scribbling).header["stable"]


def test_a_file_stamped_by_a_clock_ahead_of_ours_is_taken(tmp_path: Path) -> None:
    folder = long_ago(write(tmp_path, base_yaml=BASE))
    ahead = {"f.yaml": f"1:2:3:4:5:{time.time_ns() + 10**12}"}

    assert not changed_since(ahead, time.time_ns())
    assert asked(folder).header["stable"]


# --- texts read before ---


def test_unchanged_texts_are_not_sent_again_and_give_the_same_set(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=MAIN)
    first = asked(folder)
    write(folder, main_yaml=MAIN + "# more\n")
    second = serve(order(folder, first), Memory())

    assert len(first.header["outlines"]) == 2
    assert len(second.header["texts"]) == 2
    assert len(second.header["outlines"]) == 1
    assert version_of(second) == version_of(first)


def test_problems_in_known_texts_have_the_same_places(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=MAIN)
    first = asked(folder)
    write(folder, base_yaml=BASE.replace("github: {preset: github}", "gh: {preset: github}"))

    afresh = asked(folder)
    known = serve(order(folder, first), Memory())

    assert not known.header["loaded"]
    assert known.header["problems"] == afresh.header["problems"]
    assert known.header["outlines"] != afresh.header["outlines"]


# --- what was rehearsed ---


def test_after_a_rehearsal_a_changed_file_counts(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=MAIN)
    memory = Memory()
    rehearse(order(folder, do="rehearse"), memory)
    write(folder, main_yaml=MAIN.replace("456789", "7"), more_yaml=policy("more", "acme/more"))
    rehearsed, afresh = serve(order(folder), memory), asked(folder)

    assert finish(unpickled(rehearsed.parts[1])) == finish(unpickled(afresh.parts[1]))
    assert rehearsed.header["texts"] == afresh.header["texts"]
    assert set(rehearsed.header["outlines"]) == set(afresh.header["texts"])


def test_after_a_rehearsal_only_texts_that_the_broker_does_not_know_are_sent(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=MAIN)
    first, memory = asked(folder), Memory()
    rehearse(order(folder, first, do="rehearse"), memory)
    write(folder, main_yaml=MAIN + "# more\n")
    told = order(folder, first)
    answer = serve(Message({**told.header, "outlines": []}), memory)

    assert len(answer.header["outlines"]) == 1
    assert version_of(answer) == version_of(first)


@pytest.mark.parametrize("at_first", [BROKEN, "policies: ["])
def test_what_was_wrong_at_the_rehearsal_may_be_mended(tmp_path: Path, at_first: str) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=at_first)
    memory = Memory()
    rehearse(order(folder, do="rehearse"), memory)
    write(folder, main_yaml=MAIN)

    assert version_of(serve(order(folder), memory)) == version_of(asked(folder))


def test_what_is_wrong_is_told_after_a_rehearsal_too(tmp_path: Path) -> None:
    folder = write(tmp_path, base_yaml=BASE, main_yaml=BROKEN)
    memory = Memory()
    rehearse(order(folder, do="rehearse"), memory)

    assert problems(serve(order(folder), memory)) == problems(asked(folder))


def test_a_folder_that_is_not_there_yet_cannot_be_rehearsed(tmp_path: Path) -> None:
    memory = Memory()
    rehearse(order(tmp_path / "policies", do="rehearse"), memory)
    folder = write(tmp_path / "policies", base_yaml=BASE)

    assert version_of(serve(order(folder), memory)) == version_of(asked(folder))


# --- sets made again ---


def test_a_kept_set_is_made_again_without_its_files(tmp_path: Path, jwks: bytes) -> None:
    folder = write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN, corp_yaml=CORP)
    (folder / "keys.json").write_bytes(jwks)
    answer = asked(folder)
    (tmp_path / "policies").rename(tmp_path / "gone")

    again = rebuilt(version_of(answer), bytes(answer.parts[0]))

    assert finish(unpickled(again.parts[1])) == finish(unpickled(answer.parts[1]))


def test_a_kept_set_that_makes_another_version_is_refused(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, base_yaml=BASE))

    [message] = problems(rebuilt("0" * 64, bytes(answer.parts[0])))
    assert message == f"what was kept of policy set {'0' * 64} makes another one"


def test_a_kept_set_follows_the_deployment_of_today(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, base_yaml=BASE))
    today = replace(PARAMETERS, broker_issuer="https://new.example", ttl=60)

    again = rebuilt(version_of(answer), bytes(answer.parts[0]), today.as_json())

    policy_set = finish(unpickled(again.parts[1]))
    assert policy_set.issuers["github"].audiences == {"https://new.example"}
    assert policy_set.services["deploy-api"].ttl == 60
    assert policy_set.version != version_of(answer)
    assert PolicySources.unpack(bytes(again.parts[0])).parameters == today


def test_a_kept_set_that_does_not_suit_the_deployment_of_today_is_refused(tmp_path: Path) -> None:
    answer = asked(write(tmp_path, base_yaml=BASE))
    today = replace(PARAMETERS, broker_issuer="https://deploy.example.com")

    again = rebuilt(version_of(answer), bytes(answer.parts[0]), today.as_json())

    assert "broker's own audience" in problems(again)[0]


def test_a_kept_set_is_not_tested_again(tmp_path: Path) -> None:
    packed = PolicySources(
        "p", {"p/base.yaml": BASE.encode(), "p/tests.yaml": FAILING_TEST.encode()}, {}, PARAMETERS
    ).pack()
    version = version_of(asked(write(tmp_path, base_yaml=BASE)))

    assert rebuilt(version, packed).header["loaded"]


def test_a_kept_set_without_a_file_that_it_names_is_refused() -> None:
    packed = PolicySources("p", {"p/corp.yaml": CORP.encode()}, {}, PARAMETERS).pack()

    assert "`keys.json` cannot be read" in problems(rebuilt("v", packed))[0]
