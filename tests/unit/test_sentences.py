"""What notebooks say of a run in words: computed from its numbers, and true for every sign of them."""

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from workbench.nets.attention import Modulation
from workbench.views import sentences


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half}


@pytest.fixture
def run(monkeypatch):
    """A run of which only what was measured is there."""
    monkeypatch.setattr(sentences, "clips_learnt", lambda run: "1,234 clips")
    return SimpleNamespace(id="vpn-cs-s0-abc", config=SimpleNamespace(title="vpn"), metrics={})


def test_a_network_is_introduced_by_what_it_learnt_and_gets_right(run):
    assert sentences.network(run).data == "**vpn** (`vpn-cs-s0-abc`) learnt from 1,234 clips."
    run.metrics["test"] = {"top1": 0.551, "top1_low": 0.47, "top1_high": 0.63, "clips": 1136}
    text = sentences.network(run, run).data
    assert text.count("classifies 55.1 % of 1,136 test clips (95 % interval 47 to 63) correctly.") == 2


@pytest.mark.parametrize("how", get_args(Modulation))
def test_every_form_has_words(how):
    text = sentences.form(SimpleNamespace(options=SimpleNamespace(modulation=how))).data
    assert f'modulation = "{how}"' in text and sentences.FORMS[how] in text


def test_a_network_without_the_option_says_so():
    assert "no option" in sentences.form(SimpleNamespace()).data


@pytest.mark.parametrize(("value", "how"), [(0.3, "beats"), (-0.3, "is behind"), (0.01, "cannot be told from")])
def test_attention_is_compared_with_its_baselines(run, value, how):
    run.metrics["test"] = {"attention": {"ranking": {"minus_centre": interval(value, 0.1)}}}
    text = sentences.graded(run).data
    low, high = value - 0.1, value + 0.1
    line = f"*where*: the attention {how} a blob in the centre ({value:+.3f} [{low:+.3f}, {high:+.3f}])"
    assert text == f"- {line}\n"


def test_attention_that_was_not_graded_says_so(run):
    assert "not graded" in sentences.graded(run).data


@pytest.mark.parametrize(("second", "words"), [(50, "could turn this round"), (100, "outside the interval")])
def test_the_difference_of_two_runs_has_its_interval(run, second, words):
    def answers(right):
        labels = np.zeros(100, np.int64)
        logits = np.where(np.arange(100)[:, None] < right, [[1.0, 0.0]], [[0.0, 1.0]])
        return SimpleNamespace(scores=logits, labels=labels)

    def asked(right):
        return SimpleNamespace(config=run.config, predictions=lambda split: answers(right))

    text = sentences.difference(asked(50), asked(second)).data
    assert f"{second - 50:+.1f} points" in text and "of 100 clips" in text and words in text
