"""The string literals of Go and Java programs and of HCL, by parsers that nobody here wrote."""

import json
from typing import Final

import tree_sitter_go
import tree_sitter_java
from tree_sitter import Language, Node, Parser

_GO: Final = Parser(Language(tree_sitter_go.language()))
_JAVA: Final = Parser(Language(tree_sitter_java.language()))


def go_literals(program: str) -> list[str]:
    """Give what the strings in double quotes say. Fails for what is no Go."""
    return _literals(_GO, program, "interpreted_string_literal")


def java_literals(program: str) -> list[str]:
    """Give what the strings say. Fails for what is no Java."""
    # Java reads \uXXXX before all else, but for one behind an odd number of backslashes.
    return _literals(_JAVA, program, "string_literal")


def hcl_text(literal: str) -> str:
    """Give what a string of HCL says, as python-hcl2 leaves it: in quotes, with its escapes."""
    assert "${" not in literal
    text: str = json.loads(literal)
    return text


def _literals(parser: Parser, program: str, kind: str) -> list[str]:
    root = parser.parse(program.encode()).root_node
    assert not root.has_error, program
    return [json.loads(each) for each in _texts(root, kind)]


def _texts(node: Node, kind: str) -> list[str]:
    if node.type == kind:
        assert node.text is not None
        return [node.text.decode()]
    return [text for child in node.children for text in _texts(child, kind)]
