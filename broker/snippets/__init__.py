"""Configuration to paste where a service's tokens are taken: values in, texts out, no I/O."""

from broker.snippets.fitness import misfits
from broker.snippets.forms import FORMS, Form
from broker.snippets.trust import Misfit, SnippetFile, Subject, Trust

__all__ = ["FORMS", "Form", "Misfit", "SnippetFile", "Subject", "Trust", "misfits"]
