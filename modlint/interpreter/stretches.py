"""A part of a run, set apart to see whether another run of it would do the same: what it took, read, wrote and made."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from modlint.interpreter.values import Sym, is_const

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

NOTHING_ASKED = (math.inf, math.inf)  # no unknown value and no condition: see `State.oldest`


class Stretch:
    """A part of a run under way, and then what it took, read and made; notes and the like are counted apart."""

    __slots__ = (
        "_counted",
        "_files",
        "_made",
        "_narrowed",
        "_numbered",
        "_outside",
        "_pc",
        "_pending",
        "asked_training",
        "blind",
        "deepest",
        "mark",
        "modules",
        "oldest",
        "own",
        "pure",
        "reentered",
        "stable",
        "steps",
        "unknowns",
        "used",
        "vain",
        "without_entry",
    )

    def __init__(self, m: Interpreter) -> None:
        self.mark, self.modules, self.steps = m.count, len(m.modules), m.steps
        self._files, self._numbered, self._made = len(m.files), m.numbered, m.made_so_far()
        self._pc, self._pending, self._narrowed = m.pc, len(m.pending), m.narrowed
        self._outside = (m.oldest, m.lowest, m.highest, m.reentered)
        self._counted = (m.unknowns, m.without_entry, m.asked_training, m.used)
        m.oldest, m.lowest, m.highest, m.reentered = NOTHING_ASKED, m.count + 1, len(m.stack), set()
        m.unknowns, m.without_entry, m.asked_training = Counter(), Counter(), False
        if m.recalls:
            m.used = {}

    def end(self, m: Interpreter) -> None:
        """Add what was counted apart to what was counted before."""
        self.steps = m.steps - self.steps
        self.deepest = m.highest - len(m.stack)
        self.own, self.oldest = m.lowest > self.mark, m.oldest
        self.reentered = m.reentered
        self.unknowns, self.without_entry, self.asked_training = m.unknowns, m.without_entry, m.asked_training
        self.used = m.used if m.recalls else {}
        oldest, lowest, highest, reentered = self._outside
        m.ran_alike(0, oldest)
        unknowns, without_entry, asked_training, used = self._counted
        m.lowest, m.highest = min(lowest, m.lowest), max(highest, m.highest)
        m.reentered = reentered | m.reentered
        unknowns.update(m.unknowns)
        without_entry.update(m.without_entry)
        m.unknowns, m.without_entry = unknowns, without_entry
        m.asked_training = asked_training or m.asked_training
        if m.recalls:
            used.update(m.used)
            m.used = used

    def repeatable(self, m: Interpreter) -> bool:
        """Whether another run would do the same, and find the unknown values that this one has made as it left them.

        Conditions that it would have for itself are in `vain`: nothing that is made again may depend on one.
        """
        symbols, literals, drawn, assumed = self._made
        now = m.made_so_far()
        self.stable: set[int] = set()
        if m.pc is not self._pc or len(m.pending) != self._pending or m.narrowed != self._narrowed:
            return False
        if len(m.files) != self._files or (drawn, assumed) != now[2:] or any(map(m.stack.__contains__, self.reentered)):
            return False
        if any(note.startswith("gave up") for note in self.unknowns):
            return False
        for symbol in islice(m.symbols.values(), symbols, None):
            if all(is_const(arg) or (type(arg) is Sym and self._lasts(arg.id)) for arg in symbol.args):
                self.stable.add(symbol.id)
        made = list(islice(m.literals.items(), literals, None))
        self.vain = {number for key, number in made if not self._lasts(key[1])}
        asked = self.oldest[0] <= self.mark or self.oldest[1] <= self._numbered
        self.blind = not asked and len(self.vain) == len(made)
        self.pure = self.blind and not self.stable
        return True

    def _lasts(self, number: int) -> bool:
        return number <= self.mark or number in self.stable
