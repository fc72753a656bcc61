"""Values stay inside their quotes: what each language reads is what was written."""

import ast
import json
import shutil
import subprocess
from typing import Any

import hcl2
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.snippets.quoting import hcl_quoted, quoted, shell_quoted
from broker.snippets.template import Code, fill, template
from tests.interop.node import HERE as INTEROP
from tests.snippets.literals import go_literals, hcl_text, java_literals
from tests.snippets.trusts import HOSTILE

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
SIGNS = st.lists(st.sampled_from(["$", "%", "{", "}", '"', "'", "\\", "u0041", "`", "\n"[:0], "#"]))
ALL = st.one_of(TEXTS, SIGNS.map("".join))
MANY = st.lists(ALL, min_size=50, max_size=200)


@given(ALL)
@example(HOSTILE)
def test_json_yaml_python_go_and_java_read_what_was_written(text: str) -> None:
    literal = quoted(text)

    assert json.loads(literal) == text
    assert yaml.safe_load(f"{{a: [{literal}]}}") == {"a": [text]}
    assert ast.literal_eval(literal) == text
    assert go_literals(f"package main\n\nvar a = {literal}\n") == [text]
    assert java_literals(f"class A {{ String a = {literal}; }}") == [text]


@given(ALL)
@example(HOSTILE)
def test_terraform_reads_what_was_written_and_no_template(text: str) -> None:
    literal = hcl_quoted(text)

    assert hcl_text(hcl2.loads(f"a = {literal}\n")["a"]) == text
    assert "${" not in literal
    assert "%{" not in literal


@settings(max_examples=5)
@given(MANY)
@example([HOSTILE])
def test_node_reads_what_was_written(texts: list[str]) -> None:
    program = f"console.log(JSON.stringify([{', '.join(map(quoted, texts))}]))"
    node = shutil.which("node", path=f"{INTEROP.parents[1] / '.venv/bin'}") or "node"

    assert json.loads(ran(node, "-", stdin=program)) == texts


@settings(max_examples=5)
@given(MANY)
@example([HOSTILE])
def test_a_shell_reads_what_was_written(texts: list[str]) -> None:
    program = "\n".join(f"printf '%s\\n' {shell_quoted(text)}" for text in texts)

    assert ran("sh", stdin=program) == "".join(f"{text}\n" for text in texts)


def ran(*command: str, stdin: str) -> str:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ["a\nb", "ü", "\x7f", "\u2028", "a\0"])
@pytest.mark.parametrize("quote", [quoted, hcl_quoted, shell_quoted])
def test_what_is_not_printable_ascii_is_refused(quote: Any, text: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        quote(text)


def test_values_come_to_their_places_quoted() -> None:
    text = fill("f(«a», [«b»], «c»)", quoted, a='x"', b=["1", "2"], c=Code("«a»"))

    assert text == 'f("x\\"", ["1", "2"], «a»)'


def test_a_place_without_a_value_is_a_fault() -> None:
    with pytest.raises(KeyError):
        fill("«a»", quoted)


def test_a_template_is_there_for_each_name() -> None:
    assert "«issuer»" in template("envoy.yaml")
