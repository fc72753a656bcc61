"""Strict YAML: a text in, a plain tree with the place of every value out.

What YAML leaves to surprise is refused, with a sentence that says how to write it.
"""

from broker.yaml_document.comments import Comment, comments_with
from broker.yaml_document.document import Document, Path, Place, Tree
from broker.yaml_document.outline import outline, recall
from broker.yaml_document.reader import MAX_BYTES, MAX_DEPTH, DocumentRefused, read

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Comment",
    "Document",
    "DocumentRefused",
    "Path",
    "Place",
    "Tree",
    "comments_with",
    "outline",
    "read",
    "recall",
]
