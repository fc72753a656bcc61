"""Whatever a policy file holds, all that comes out beside a set is a list of problems."""

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError
from broker.core.indexed_policies import IndexedPolicies
from broker.policy_files.document_entries import MODELS, TESTS
from broker.policy_files.models import ExpectedPermitModel, PolicyTestModel, PolicyTestRequestModel
from tests.policy_files.loading import load_beside_base

WORDS = sorted(
    {field for model in MODELS.values() for field in model.model_fields}
    | set(PolicyTestModel.model_fields)
    | set(PolicyTestRequestModel.model_fields)
    | set(ExpectedPermitModel.model_fields)
    | {"github", "gitlab", "deploy-api", "deploy-web", "repo-ci", "acme", "repository", "sub"}
    | {"glob", "regex", "not", "present", "permit", "deny", "allow", "deploy:*", "*", "5m", "/a/b"}
    | {"acme/web", "acme/*", "https://ci.example", "2027-06-30", "", " ", "x"}
)
words = st.sampled_from(WORDS)
scalars = st.one_of(words, words, st.integers(), st.booleans(), st.none(), st.text(max_size=5))
trees = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(words, children, max_size=4)
    ),
    max_leaves=8,
)
files = st.dictionaries(
    st.sampled_from([*MODELS, TESTS]),
    st.one_of(
        st.dictionaries(
            st.sampled_from(["p", "web", "deploy-web", "x1"]),
            st.one_of(trees, *[
                st.dictionaries(st.sampled_from(sorted(model.model_fields)), trees, max_size=6)
                for model in MODELS.values()
            ]),
            max_size=3,
        ),
        st.lists(trees, max_size=2),
        trees,
    ),
    max_size=4,
)  # fmt: skip


def load_or_refuse(text: str | bytes) -> None:
    with suppress(ConfigurationError):
        IndexedPolicies.of(load_beside_base(text).policy_set)


@given(st.binary(max_size=300))
def test_any_bytes_load_or_are_refused(text: bytes) -> None:
    load_or_refuse(text)


@given(files)
def test_any_tree_of_known_words_loads_or_is_refused(tree: object) -> None:
    load_or_refuse(json.dumps(tree, ensure_ascii=False))


@given(st.dictionaries(words, trees, min_size=1, max_size=4))
def test_any_match_loads_or_is_refused(match: object) -> None:
    policy = {"issuer": "github", "service_account": "deploy-web", "match": match}

    load_or_refuse(json.dumps({"policies": {"p": policy}}, ensure_ascii=False))
