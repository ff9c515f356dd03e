"""When a subject does what in an untrimmed video: episodes one after another, some actions side by side, and pauses.

A timetable knows nothing of bodies; course.py performs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The actions of SynthADL-U and how long one takes, seconds. Of one hand, of both hands, of the whole body, at a table.
ONE_HAND = {
    "drink_from_cup": (3.0, 5.0),
    "drink_from_bottle": (3.0, 5.0),
    "phone_call": (4.0, 10.0),
    "eat_apple": (2.6, 5.0),
    "wave": (2.0, 4.5),
    "flick_hair": (1.6, 2.8),
}
BOTH_HANDS = {"read_book": (3.5, 7.0), "use_tablet": (3.5, 7.0), "clap": (2.0, 5.0), "rub_hands": (2.0, 5.0)}
FLOOR = {"walk": (5.0, 11.0), "sit_down": (1.4, 2.4), "sit": (5.0, 14.0), "stand_up": (1.4, 2.4)}
BURSTS = {"jump_up": (1.6, 3.6), "kick": (1.4, 3.2)}
TABLE = {"type_on_keyboard": (3.0, 6.5), "write": (3.0, 6.5), "cut_bread": (3.0, 6.0), "stir": (3.0, 6.0)}
UNTRIMMED_ACTIONS = (*ONE_HAND, *BOTH_HANDS, *FLOOR, *BURSTS, *TABLE)
SECONDS = ONE_HAND | BOTH_HANDS | FLOOR | BURSTS | TABLE

#: Seconds between two uses of one hand, that it takes to put a thing away and fetch the next; and of doing nothing.
CHANGE = 2.2
PAUSE = (1.0, 3.0)
LEAD = 1.3
#: How often a walk has an action of the hands beside it, and an action of one hand one of the other.
BUSY_WALK, BUSY_HAND = 0.7, 0.5
#: What happens at a table and away from one, and how often.
TABLE_EPISODES = ("hands", "hands", "walk", "table", "table")
FREE_EPISODES = ("hands", "hands", "walk", "sit", "burst", "burst")


@dataclass(frozen=True)
class Entry:
    """One action from ``start`` to ``end`` (seconds); hand is "main" or "off" for one that takes a single hand."""

    action: str
    start: float
    end: float
    hand: str = "main"


class Deck:
    """Cards dealt in random order, every one once before any comes again."""

    def __init__(self, cards: tuple[str, ...], rng: np.random.Generator) -> None:
        self._cards, self._rng = cards, rng
        self._left: list[str] = []

    def draw(self, *among: str) -> str:
        """The next card, of those ``among`` if any are named."""
        wanted = among or self._cards
        while not (fitting := [card for card in self._left if card in wanted]):
            self._left += [str(card) for card in self._rng.permutation(self._cards)]
        self._left.remove(fitting[0])
        return fitting[0]


class Timetable:
    """Fills ``seconds`` with episodes. ``entries`` come in order of their start."""

    def __init__(self, seconds: float, at_table: bool, rng: np.random.Generator) -> None:
        self._rng, self._hands = rng, Deck((*ONE_HAND, *BOTH_HANDS), rng)
        self._table, self._bursts = Deck(tuple(TABLE), rng), Deck(tuple(BURSTS), rng)
        episodes = {"hands": self._episode_of_hands, "walk": self._walk, "sit": self._sit}
        episodes |= {"burst": self._burst, "table": self._at_table}
        deck = Deck(TABLE_EPISODES if at_table else FREE_EPISODES, rng)
        self.entries: list[Entry] = []
        now = float(rng.uniform(*PAUSE))
        while now < seconds:
            before = len(self.entries)
            end = episodes[deck.draw()](now)
            if end <= seconds - LEAD:
                now = end + float(rng.uniform(*PAUSE))
                continue
            del self.entries[before:]
            # A short video has one episode at least: another one may fit.
            if self.entries:
                break
        self.entries.sort(key=lambda entry: (entry.start, entry.end))

    def _lasts(self, action: str) -> float:
        return float(self._rng.uniform(*SECONDS[action]))

    def _add(self, action: str, start: float, hand: str = "main", lasts: float | None = None) -> float:
        """Returns when it ends."""
        end = start + (self._lasts(action) if lasts is None else lasts)
        self.entries.append(Entry(action, start, end, hand))
        return end

    def _episode_of_hands(self, now: float) -> float:
        """One action of the hands, or two at once, one in each hand."""
        action = self._hands.draw()
        if action in BOTH_HANDS:
            return self._add(action, now)
        hand, other = self._rng.permutation(["main", "off"]) if self._rng.random() < 0.3 else ("main", "off")
        end = self._add(action, now, str(hand))
        if self._rng.random() < BUSY_HAND:
            second = self._hands.draw(*(name for name in ONE_HAND if name != action))
            end = max(
                end, self._add(second, float(self._rng.uniform(now + 0.4, max(end - 1.2, now + 0.5))), str(other))
            )
        return end

    def _walk(self, now: float) -> float:
        lasts = self._lasts("walk")
        if self._rng.random() < BUSY_WALK:
            start = now + float(self._rng.uniform(-0.8, 1.5))
            lasts = max(lasts, self._episode_of_hands(start) - now + float(self._rng.uniform(-1.0, 1.5)))
        self._add("walk", now, lasts=lasts)
        return max(entry.end for entry in self.entries)

    def _sit(self, now: float) -> float:
        """Sit down, stay, with actions of the hands in the meantime, and stand up."""
        down = self._add("sit_down", now)
        until = down + self._lasts("sit")
        hands = down + float(self._rng.uniform(1.6, 2.5))
        while (end := self._episode_of_hands(hands)) < until:
            hands = end + CHANGE
        until = end + 1.6
        self._add("sit", down, lasts=until - down)
        return self._add("stand_up", until)

    def _burst(self, now: float) -> float:
        return self._add(self._bursts.draw(), now)

    def _at_table(self, now: float) -> float:
        return self._add(self._table.draw(), now)
