"""The action-pair memory: look-alike actions told apart by classifiers of their own (thesis 3.3.3)."""

from __future__ import annotations

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.systems.common import linear


def join(blocks: list[Tensor]) -> Tensor:
    """Early fusion of cues [B,F_i]: each brought to length 1 (table 3.2) and concatenated; one alone stays as it is."""
    return blocks[0] if len(blocks) == 1 else torch.cat([F.normalize(block) for block in blocks], dim=1)


def confused_pairs(scores: Tensor, label: Tensor, epsilon: float) -> list[tuple[int, int, float]]:
    """The pairs of classes i < j with C(i,j) + C(j,i) >= epsilon, and that sum, the most confused first. C is the
    confusion matrix of scores [n,N] and labels [n], each row the shares of a class's clips."""
    classes = scores.shape[1]
    counts = torch.zeros(classes, classes, device=scores.device)
    counts.index_put_((label, scores.argmax(1)), torch.ones(len(label), device=scores.device), accumulate=True)
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    mistaken = (shares + shares.T).tolist()
    pairs = [(i, j, mistaken[i][j]) for i, j in combinations(range(classes), 2) if mistaken[i][j] >= epsilon]
    return sorted(pairs, key=lambda pair: -pair[2])


class PairMemory(nn.Module):
    """As many slots as there are classes, the most confused pair first; each keeps two classes (-1 in an empty one),
    which cues tell them apart best, and a linear classifier of these cues. ``sizes``: the numbers of each cue."""

    pairs: Tensor
    cues: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, sizes: dict[str, int], classes: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.register_buffer("pairs", torch.full((classes, 2), -1))
        self.register_buffer("cues", torch.zeros(classes, len(sizes), dtype=torch.bool))
        self.register_buffer("weight", torch.zeros(classes, sum(sizes.values())))
        self.register_buffer("bias", torch.zeros(classes))

    def forward(self, scores: Tensor, blocks: dict[str, Tensor]) -> Tensor:
        """Scores [B,N] of clips whose cues are ``blocks`` [B,F_i]. One pair after the other: a clip that is predicted
        to be one of the two is asked about; if the pair's classifier says the other, their scores change places."""
        for slot, (i, j) in enumerate(self.pairs.tolist()):
            if i < 0:
                break
            predicted = scores.argmax(1)
            second = self.margin(slot, blocks) > 0  # j rather than i
            wrong = (predicted == i) & second | (predicted == j) & ~second
            changed = scores.clone()
            changed[:, [i, j]] = scores[:, [j, i]]
            scores = torch.where(wrong[:, None], changed, scores)
        return scores

    def margin(self, slot: int, blocks: dict[str, Tensor]) -> Tensor:
        """[B], positive for the second class of the pair."""
        used = [name for name, on in zip(self.sizes, self.cues[slot].tolist(), strict=True) if on]
        weights = dict(zip(self.sizes, self.weight[slot].split(list(self.sizes.values())), strict=True))
        weight = torch.cat([weights[name] for name in used])
        return join([blocks[name] for name in used]) @ weight + self.bias[slot]

    def fit(
        self,
        kind: str,
        pairs: list[tuple[int, int, float]],
        train: tuple[dict[str, Tensor], Tensor],
        validation: tuple[dict[str, Tensor], Tensor],
    ) -> None:
        """Fills the slots with ``pairs`` (of more than there are slots the least confused are left out): for each, the
        cues, of all combinations, whose classifier is best on the validation clips, and the fewest of those. ``train``
        and ``validation`` are cues [n,F_i] by name and labels [n]."""
        self.pairs.fill_(-1)
        names = list(self.sizes)
        choices = [chosen for count in range(1, len(names) + 1) for chosen in combinations(names, count)]
        for slot, (i, j, _) in enumerate(pairs[: len(self.pairs)]):
            parts = [(blocks, label, (label == i) | (label == j)) for blocks, label in (train, validation)]
            candidates = []
            for chosen in choices:
                fitted, held = [
                    (
                        join([blocks[name][rows] for name in chosen]).cpu().numpy(),
                        (label[rows] == j).long().cpu().numpy(),
                    )
                    for blocks, label, rows in parts
                ]
                candidates.append((chosen, linear.search(kind, fitted, held, 2)))
            self.store(
                slot, (i, j), *max(candidates, key=lambda pair: pair[1].accuracy)
            )  # the first of equally good ones

    def store(self, slot: int, pair: tuple[int, int], chosen: tuple[str, ...], classifier: linear.Classifier) -> None:
        """Writes one slot; the classifier's second row is the margin of the pair's second class."""
        row = torch.from_numpy(classifier.weight[1]).to(self.weight).split([self.sizes[name] for name in chosen])
        parts = dict(zip(chosen, row, strict=True))
        self.weight[slot] = torch.cat(
            [parts.get(name, self.weight.new_zeros(size)) for name, size in self.sizes.items()]
        )
        self.pairs[slot] = torch.tensor(pair)
        self.cues[slot] = torch.tensor([name in chosen for name in self.sizes])
        self.bias[slot] = float(classifier.bias[1])
