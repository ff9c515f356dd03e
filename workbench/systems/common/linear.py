"""Linear classifiers in closed form: scikit-learn's, fitted on features that are kept, chosen on validation clips."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from workbench.types import Batch

#: C, the weight of the errors against the size of the weights. The smallest of equally good ones is taken.
COSTS = (0.01, 0.1, 1.0, 10.0, 100.0)


class Kept(NamedTuple):
    """Features by name, float32 [n,...], and labels int64 [n], of all clips of a split."""

    features: dict[str, np.ndarray]
    label: np.ndarray

    def rows(self, chosen: np.ndarray) -> Kept:
        """The clips of ``chosen``, indices or bool [n]."""
        return Kept({name: value[chosen] for name, value in self.features.items()}, self.label[chosen])


class Classifier(NamedTuple):
    """weight [classes,F], bias [classes], the cost C and its accuracy on the validation clips."""

    weight: np.ndarray
    bias: np.ndarray
    cost: float
    accuracy: float

    def copy_to(self, layer: nn.Linear) -> None:
        """Writes weight and bias into ``layer``, of as many classes and features."""
        layer.weight.data.copy_(torch.from_numpy(self.weight))
        layer.bias.data.copy_(torch.from_numpy(self.bias))


def keep(train: Iterable[Batch], validation: Iterable[Batch] | None) -> tuple[Kept, Kept]:
    """All features of both splits. Without validation clips every fifth clip of each class is taken out of training
    for that ("a portion of training data (around 20%)", thesis 3.3.1); ValueError if no class has five."""
    trained = _gather(train)
    if validation is not None:
        return trained, _gather(validation)
    ranks = np.zeros(len(trained.label), np.int64)
    for kind in np.unique(trained.label):
        ranks[trained.label == kind] = np.arange((trained.label == kind).sum())
    held = ranks % 5 == 4
    if not held.any():
        raise ValueError(
            "there are no validation clips, and no class has five training clips of which one could take their place"
        )
    return trained.rows(~held), trained.rows(held)


def _gather(batches: Iterable[Batch]) -> Kept:
    features: dict[str, list[np.ndarray]] = {}
    labels = []
    for batch in batches:
        if batch.label is None or batch.features is None:
            raise ValueError(
                "a classifier in closed form is fitted to batches with features and labels, this one lacks some"
            )
        labels.append(batch.label.cpu().numpy())
        for name, value in batch.features.items():
            features.setdefault(name, []).append(value.cpu().numpy())
    return Kept({name: np.concatenate(parts) for name, parts in features.items()}, np.concatenate(labels))


def search(
    kind: str, train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], classes: int
) -> Classifier:
    """The best linear classifier of features [n,F] and labels [n] over ``COSTS``; see ``fit``."""
    classifiers = []
    for cost in COSTS:
        weight, bias = fit(kind, *train, classes, cost)
        scores = validation[0] @ weight.T + bias
        accuracy = float((scores.argmax(1) == validation[1]).mean())
        classifiers.append(Classifier(weight, bias, cost, accuracy))
    return max(classifiers, key=lambda classifier: classifier.accuracy)  # the first of equally good ones


def fit(kind: str, features: np.ndarray, label: np.ndarray, classes: int, cost: float) -> tuple[np.ndarray, np.ndarray]:
    """weight float32 [classes,F] and bias [classes], one against the rest.

    kind "svm": squared hinge to the optimum; "sgd": hinge, by stochastic gradient descent clip by clip, with the same
    weight on the errors (thesis 6.3). A class without clips scores -1 whatever the clip.
    """
    from sklearn.linear_model import SGDClassifier
    from sklearn.svm import LinearSVC

    weight, bias = np.zeros((classes, features.shape[1]), np.float32), np.full(classes, -1.0, np.float32)
    present = np.unique(label)
    if len(present) == 1:  # nothing to tell apart
        bias[present] = 1.0
        return weight, bias
    if kind == "svm":
        model = LinearSVC(C=cost, max_iter=10_000, random_state=0)
    else:
        model = SGDClassifier(loss="hinge", alpha=1 / (cost * len(label)), random_state=0)
    model.fit(features, label)
    coefficients, offset = model.coef_, model.intercept_
    if len(present) == 2:  # of two classes scikit-learn keeps the second's scores alone
        coefficients, offset = np.concatenate([-coefficients, coefficients]), np.concatenate([-offset, offset])
    weight[present], bias[present] = coefficients, offset
    return weight, bias
