"""The process that reads policy files: requests in, answers out, until nobody asks any more.

Whatever parsing leaves behind ends with it, and the event loop of the broker never waits for it.
Of what it has read before, for an answer or as a rehearsal, only what was changed is read and made
again.
"""

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from broker.core.errors import ConfigurationError, Problem
from broker.messages import Message
from broker.policy_files.build import LoadedPolicies, build
from broker.policy_files.deployment import Attachment, Deployment, ReadAttachment
from broker.policy_files.earlier_build import EarlierBuild
from broker.policy_files.folder import DEV_FOLDER, read_attachment, read_folder
from broker.policy_files.positions import below
from broker.policy_files.run_tests import refuse_failed, run
from broker.reload.fingerprint import changed_since, digest, entries_below, entry
from broker.reload.known_texts import KnownTexts
from broker.reload.sources import DeploymentParameters, PolicySources
from broker.reload.transport import pickled
from broker.workers.frames import Frames, frame

MAX_PROBLEMS: Final = 200
NICENESS: Final = 5

LOOK_AGAIN: Final = 0.01
"""Seconds until files are looked at again that were written a moment ago."""

MOST_LOOKS: Final = 20

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """What this process has read before, and made of it."""

    texts: KnownTexts = field(default_factory=KnownTexts)
    build: EarlierBuild = field(default_factory=EarlierBuild)


def main() -> None:
    """Serve the requests on stdin, answering on stdout."""
    _come_second()
    # Hardly anything made here is ever cyclic garbage, and the broker ends this after some reads.
    gc.disable()
    memory = Memory()
    for request in _requests():
        if request.header["do"] == "rehearse":
            rehearse(request, memory)
            continue
        sys.stdout.buffer.write(frame(serve(request, memory)))
        sys.stdout.buffer.flush()
    # At once: Python would free one thing after the other.
    os._exit(0)


def _requests() -> Iterator[Message]:
    frames = Frames()
    while data := os.read(sys.stdin.fileno(), _CHUNK):
        yield from frames.take(data)


def _come_second() -> None:
    """Let the broker come first where both want the same processor."""
    os.nice(NICENESS)
    # Where Linux shares the processor among sessions, nice counts only within one; this process has
    # a session of its own, whose share this is.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(f"{NICENESS}\n")


def serve(request: Message, memory: Memory) -> Message:
    """Answer one request: to read the folder, or to make a set of what comes with it."""
    if request.header["do"] == "read":
        return read(request, memory)
    if request.header["do"] == "candidate":
        return candidate(bytes(request.parts[0]), request.header["now"])
    stated = request.header["parameters"]
    current = None if stated is None else DeploymentParameters.from_json(stated)
    return rebuild(request.header["version"], bytes(request.parts[0]), current)


def rehearse(request: Message, memory: Memory) -> None:
    """Read the folder as it is now, and keep in memory what a read to come is spared."""
    parameters = DeploymentParameters.from_json(request.header["parameters"])
    folder = Path(request.header["folder"])
    memory.texts.begin(_outlines(request))
    # What is wrong now may be mended by then.
    with contextlib.suppress(ConfigurationError):
        texts, unread = _read_texts(folder, parameters)
        _build(texts, _deployment(folder, parameters, read_attachment), unread, memory)


def read(request: Message, memory: Memory) -> Message:
    """Read the folder and make a set of it.

    The answer tells the fingerprint of the files, whether they were `stable` while they were read,
    and which other files they name. The outlines of the texts that the broker does not know come
    with it.
    """
    parameters = DeploymentParameters.from_json(request.header["parameters"])
    folder = Path(request.header["folder"])
    memory.texts.begin(_outlines(request))
    noted = _left_alone(folder)
    began = time.time_ns()
    named = _NamedFiles()
    texts: Mapping[str, bytes] = {}
    try:
        texts, unread = _read_texts(folder, parameters)
        deployment = _deployment(folder, parameters, named.read)
        loaded = _build(texts, deployment, unread, memory)
        results = run(loaded, request.header["now"])
        refuse_failed(results)
    except ConfigurationError as error:
        answer = _refusal(error.problems)
    else:
        lapsed = [
            {"place": each.test.place, "test": each.test.name, "fault": each.fault}
            for each in results
            if each.lapsed
        ]
        sources = PolicySources(str(folder), texts, named.contents, parameters)
        answer = _answer(loaded, sources, lapsed)
    after = entries_below(folder) | {path: entry(path) for path in named.noted}
    outlines = memory.texts.outlines_beyond(request.header["known"])
    watched = {
        "stable": after == noted | named.noted and not changed_since(after, began),
        "fingerprint": digest(after),
        "named_files": sorted(named.noted),
        "texts": memory.texts.used,
        "outlines": list(outlines),
    }
    return Message({**answer.header, **watched}, [*answer.parts, *outlines.values()])


def rebuild(version: str, packed: bytes, current: DeploymentParameters | None) -> Message:
    """Make a set again from its sources, which must give the version stated.

    With the parameters of another deployment than its own, make the set that the same files are
    under these. Their tests held when it ran; they are not run again.
    """
    sources = PolicySources.unpack(packed)
    try:
        loaded = _build_again(sources)
        if loaded.policy_set.version != version:
            text = f"what was kept of policy set {version} makes another one"
            return _refusal([Problem("store", 0, 0, text)])
        if current is not None and current != sources.parameters:
            sources = replace(sources, parameters=current)
            loaded = _build_again(sources)
    except ConfigurationError as error:
        return _refusal(error.problems)
    return _answer(loaded, sources)


def candidate(packed: bytes, now: float) -> Message:
    """Make a set of sources that never ran; its tests must hold as those of a read set."""
    sources = PolicySources.unpack(packed)
    try:
        loaded = _build_again(sources)
        refuse_failed(run(loaded, now))
    except ConfigurationError as error:
        return _refusal(error.problems)
    return _answer(loaded, sources)


def _left_alone(folder: Path) -> dict[str, str]:
    """Note what the files are; a moment later if one was written so lately that more may come."""
    noted = entries_below(folder)
    for _ in range(MOST_LOOKS):
        if not changed_since(noted, time.time_ns()):
            break
        time.sleep(LOOK_AGAIN)
        noted = entries_below(folder)
    return noted


def _outlines(request: Message) -> dict[str, bytes | memoryview]:
    return dict(zip(request.header["outlines"], request.parts, strict=True))


def _build(
    texts: Mapping[str, bytes], deployment: Deployment, unread: Sequence[Problem], memory: Memory
) -> LoadedPolicies:
    return build(texts, deployment, unread, read_text=memory.texts.read, earlier=memory.build)


class _NamedFiles:
    """Reads the files that policy files name, noting each and what it holds."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}
        self.noted: dict[str, str] = {}

    def read(self, file: str, name: str) -> Attachment:
        # Noted before it is read: what is written in between shows as a difference.
        path = str((Path(file).parent / name).absolute())
        self.noted.setdefault(path, entry(path))
        attachment = read_attachment(file, name)
        self.contents[file, name] = attachment.content
        return attachment


def _build_again(sources: PolicySources) -> LoadedPolicies:
    def kept(file: str, name: str) -> Attachment:
        content = sources.attachments.get((file, name))
        if content is None:
            raise FileNotFoundError(2, "was not kept", name)
        return Attachment(str((Path(file).parent / name).absolute()), content)

    return build(sources.texts, _deployment(Path(sources.folder), sources.parameters, kept))


def _read_texts(
    folder: Path, parameters: DeploymentParameters
) -> tuple[dict[str, bytes], list[Problem]]:
    """Read the files of a folder. Raises `ConfigurationError` without the folder.

    For the dev platform there must be policies, too. An installed package brings none, and without
    any every token would be refused.
    """
    dev = parameters.dev_issuers is not None
    texts, unread = read_folder(folder, dev=dev, folders=parameters.folders)
    if dev and not (folder / DEV_FOLDER).is_dir():
        message = (
            "there is no such folder, and --dev takes from it what the fake platforms' jobs may do;"
            " copy it from the project's sources"
        )
        unread.append(Problem(str(folder / DEV_FOLDER), 0, 0, message))
    return texts, unread


def _deployment(
    folder: Path, parameters: DeploymentParameters, reading: ReadAttachment
) -> Deployment:
    return Deployment(
        parameters.broker_issuer,
        parameters.ttl,
        parameters.max_ttl,
        parameters.signing_algorithms,
        parameters.loopback,
        dict(parameters.dev_issuers or {}),
        reading,
        folders=parameters.folders,
        positions_of=below(folder),
    )


def _answer(
    loaded: LoadedPolicies, sources: PolicySources, lapsed: Sequence[Mapping[str, object]] = ()
) -> Message:
    header = {"loaded": True, "lapsed": lapsed}
    return Message(header, (sources.pack(), pickled(loaded.policy_set)))


def _refusal(problems: Sequence[Problem]) -> Message:
    first = [[each.file, each.line, each.column, each.message] for each in problems[:MAX_PROBLEMS]]
    return Message({"loaded": False, "problems": first, "problem_count": len(problems)})
