"""No label can be read from what surrounds an action: room, rivals, camera, light, clip length, size of the file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from safefiles import video
from synthadl import world
from synthadl.plan import plan
from synthadl.settings import settle

#: Small pictures and few frames do: only the mean colour of two corners and the size of the file are looked at.
SMALL = {"resolution": (64, 48), "fps": 5.0}
CORNER = 9


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """Labels int [N] and what surrounds them float [N,D] for half of the clips: frames and bytes of the video first,
    then the index, light and camera, and the upper corners of the first frame."""
    path = tmp_path_factory.mktemp("films") / "clip.mp4"
    table, settings, rows = plan("tiny", knobs=SMALL), settle("tiny", "adl", SMALL), []
    table = table[table["repetition"] == 1]
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        performance, scene, camera, frames = world.make_clip(settings, "adl", 0, number, row)
        pictures = [picture for picture, _ in frames]
        video.write(path, pictures, settings.fps)
        rows.append([len(performance.joints), path.stat().st_size])
        rows[-1] += [*scene.light.direction, *scene.light.lamp, scene.light.exposure]
        rows[-1] += [*camera.position, *camera.extrinsics[2, :3], camera.intrinsics[0, 0]]
        rows[-1] += [*np.mean([solid.color for solid in scene.shell[1:4]], 0)]
        picture = pictures[0]
        rows[-1] += [*picture[:CORNER, :CORNER].mean((0, 1)), *picture[:CORNER, -CORNER:].mean((0, 1))]
    dummies = pd.get_dummies(table[["view", "setup", "background", "camera"]].astype(str))
    kinds = table["imposter"].str.get_dummies("+")
    return table["label"].to_numpy(), np.concatenate([rows, dummies, kinds], 1).astype(float)


def hits(features: np.ndarray, labels: np.ndarray, classifier) -> int:
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    return int((cross_val_predict(classifier, features, labels, cv=folds) == labels).sum())


def band(labels: np.ndarray) -> float:
    """The most hits that guessing reaches in 97.5 of 100 tries."""
    return binom.ppf(0.975, len(labels), 1 / len(np.unique(labels)))


def forest():
    return RandomForestClassifier(100, min_samples_leaf=2, random_state=0)


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))


@pytest.mark.parametrize("classifier", [forest, linear])
def test_surroundings_leave_the_label_at_chance(surroundings, classifier):
    labels, features = surroundings
    assert hits(features, labels, classifier()) <= band(labels)


@pytest.mark.parametrize("columns", [[0], [1], [0, 1]], ids=["frames", "bytes", "both"])
def test_length_and_file_size_leave_the_label_at_chance(surroundings, columns):
    labels, features = surroundings
    assert hits(features[:, columns], labels, forest()) <= band(labels)


@pytest.mark.parametrize("classifier", [forest, linear])
def test_the_test_would_notice_a_leak(surroundings, classifier):
    """More columns in which 4 of 10 clips whisper their label lift the classifiers over the band."""
    labels, features = surroundings
    rng = np.random.default_rng(0)
    whisper = np.where(rng.random(len(labels)) < 0.4, labels, rng.permutation(labels))
    leaked = np.concatenate([features, 3.0 * np.eye(labels.max() + 1)[whisper]], 1)
    assert hits(leaked, labels, classifier()) > band(labels)


def test_every_action_gets_the_same_share_of_everything():
    """Views and setups are dealt from one pack: counts per action differ by no more than what does not divide."""
    table = plan("tiny")
    for column, slack in (("setup", 1), ("subject", 0)):
        counts = pd.crosstab(table["action"], table[column])
        assert (counts.max() - counts.min()).max() <= slack, column
    views = pd.crosstab(table["action"], table["view"].clip(upper=4))
    assert (views.max() - views.min()).max() <= 2
