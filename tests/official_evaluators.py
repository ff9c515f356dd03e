"""The official event evaluators' rules once more, as their authors write them: one loop inside the other.

Rows are tuples: a detection (video, label, start, end, score), a truth (video, label, start, end). What the library
computes on whole arrays is held against these, on random tables full of ties.
"""

from __future__ import annotations


def thumos(detections: list, truths: list, unsure: list, label, threshold: float) -> float:
    """TH14evalDet of 2015-09-30 for one class. unsure: (video, start, end)."""
    conf, right = [], []
    for video in sorted({row[0] for row in [*detections, *truths, *unsure]}):
        own = [row for row in detections if row[0] == video and row[1] == label]
        own.sort(key=lambda row: -row[4])
        free = [True] * len(own)
        for truth in (row for row in truths if row[0] == video and row[1] == label):
            best, overlap = None, threshold
            for place, row in enumerate(own):
                if free[place] and _hull(row[2:4], truth[2:4]) > overlap:
                    best, overlap = place, _hull(row[2:4], truth[2:4])
            if best is not None:
                free[best] = False
        for place, row in enumerate(own):
            touched = any(_hull(row[2:4], other[1:3]) > 0 for other in unsure if other[0] == video)
            if not free[place] or not touched:
                conf.append(row[4])
                right.append(not free[place])
    order = sorted(range(len(conf)), key=lambda place: -conf[place])
    found, summed = 0, 0.0
    for rank, place in enumerate(order, 1):
        if right[place]:
            found += 1
            summed += found / rank
    return summed / sum(row[1] == label for row in truths)


def activitynet(detections: list, truths: list, label, threshold: float) -> float:
    """ActivityNet's compute_average_precision_detection for one class and threshold."""
    own = [row for row in detections if row[1] == label]
    own = sorted(own, key=lambda row: row[4])[::-1]  # a stable sort, turned round
    events = [row for row in truths if row[1] == label]
    locked = [False] * len(events)
    hits = []
    for row in own:
        near = [(place, _union(row[2:4], event[2:4])) for place, event in enumerate(events) if event[0] == row[0]]
        near = sorted(near, key=lambda pair: pair[1])[::-1]
        hit = False
        for place, overlap in near:
            if overlap < threshold:
                break
            if not locked[place]:
                locked[place] = hit = True
                break
        hits.append(hit)
    precision, found = [], 0
    for rank, hit in enumerate(hits, 1):
        found += hit
        precision.append(found / rank)
    for place in reversed(range(len(precision) - 1)):
        precision[place] = max(precision[place], precision[place + 1])
    return sum(value for value, hit in zip(precision, hits, strict=True) if hit) / len(events)


def pku(detections: list, truths: list, threshold: float) -> float:
    """PKU-MMD's and TSU's ap for one list of detections (of one class, of one video, or all)."""
    detections = sorted(detections, key=lambda row: row[4])
    partner, count = [], [0] * len(truths)
    for row in detections:
        best = -1
        for place, truth in enumerate(truths):
            overlap = _signed(row, truth)
            if overlap >= threshold and (best < 0 or overlap >= _signed(row, truths[best])):
                best = place
        partner.append(best)
        if best >= 0:
            count[best] += 1
    positive, left, score = sum(number > 0 for number in count), len(detections), 0.0
    highest, recall = _rates(positive, left, len(truths))
    for best in partner:
        left -= 1
        if best < 0:
            continue
        count[best] -= 1
        positive -= count[best] == 0
        precision, now = _rates(positive, left, len(truths))
        highest = max(highest, precision)
        score += highest * (recall - now)
        recall = now
    return score


def _rates(positive: int, detections: int, truths: int) -> tuple[float, float]:
    return (positive / detections, positive / truths) if detections and truths else (0.0, 0.0)


def _hull(one: tuple, other: tuple) -> float:
    one, other = (min(one), max(one)), (min(other), max(other))
    inside = min(one[1], other[1]) - max(one[0], other[0])
    return inside / (max(one[1], other[1]) - min(one[0], other[0])) if inside > 0 else 0.0


def _union(one: tuple, other: tuple) -> float:
    inside = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (other[1] - other[0]) + (one[1] - one[0]) - inside
    return inside / union if union > 0 else 0.0


def _signed(one: tuple, other: tuple) -> float:
    hull = max(one[3], other[3]) - min(one[2], other[2])
    return (min(one[3], other[3]) - max(one[2], other[2])) / hull if one[:2] == other[:2] and hull else 0.0
