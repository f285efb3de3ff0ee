"""Where the source puts modules, and which of it says that they are shared on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import cues
from modlint.interpreter.runs import Runs
from modlint.interpreter.values import Choice, DictObj, ListObj, ModuleObj, Placement, Sym, Value, is_const
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.frames import Frame

NOWHERE = Placement(())
_CHAIN = 8  # arguments that a placement remembers


class Placements(Runs):
    """What puts an instance into a slot, an argument or a list, and what repeats it."""

    def possible(self, value: Value) -> tuple[Value, ...]:
        """The alternatives of a value."""
        return tuple(v for _, v in value.alts) if type(value) is Choice else (value,)

    def placement(self, value: Value, source: ir.Expr, frame: Frame, kind: str = "slot") -> Placement:
        """Where the source puts `value`: the expression, and the arguments that a parameter came by.

        An instance that one expression of one activation puts somewhere at two times is repeated.
        """
        if type(value) is not ModuleObj and type(value) is not Choice:
            return NOWHERE
        self.mean(value, "" if self.run is not None else cues.of_holder(source))
        self._mean_what_is_handed_out(value, source, frame)
        number = _number(source)
        if number is None:
            return self.list_placement(value) or Placement(())
        site = self.site(frame, number)
        self._place_again(value, site, frame, kind)
        carried = frame.places.get(source.id) if isinstance(source, ir.Name) else None
        if isinstance(source, ir.IfExp | ir.Boolean):
            carried = self.list_placement(value)
        return Placement((site,)) if carried is None else Placement((*carried.sites[:_CHAIN], site))

    def meant(self, test: ir.Expr, value: Value, frame: Frame) -> Value:
        """What a conditional expression gives, shared on purpose if its test speaks of sharing."""
        self.mean(value, self.cue_in(test, frame))
        return value

    def mean(self, value: Value, cue: str = "") -> None:
        """Take notice that modules are shared on purpose, if `cue` or a condition around here says so."""
        cue = cue or self.cue
        if cue:
            for one in self.possible(value):
                if isinstance(one, ModuleObj):
                    self.meant_shared.setdefault(one.id, cue)

    def _mean_what_is_handed_out(self, value: Value, source: ir.Expr, frame: Frame) -> None:
        """What a call gives and did not make is shared on purpose if an argument says so: `block(i, tie=True)`."""
        if isinstance(source, ir.Call) and self.run is None:
            site = self.site(frame, source.n)
            if all(one.created != site for one in self.possible(value) if isinstance(one, ModuleObj)):
                self.mean(value, self.cue_in(source, frame))

    def cue_in(self, node: ir.Expr, frame: Frame) -> str:
        """The words of an expression that speak of sharing: what is placed under it is then shared on purpose.

        A local speaks as what it was computed from does.
        """
        known = self._cues.get(id(node))
        if known is None or known[0] is not node:
            known = self._cues[id(node)] = (node, cues.in_expression(node))
        return known[1] or self._cue_of_locals(node, frame)

    def _cue_of_locals(self, node: ir.Expr, frame: Frame) -> str:
        scope_: Frame | None = frame
        while scope_ is not None and scope_.kind == "comprehension":
            scope_ = scope_.parent
        if scope_ is None or not scope_.cues:
            return ""
        return next((cue for name in cues.names(node) if (cue := scope_.cues.get(name))), "")

    def carry_cue(self, frame: Frame, name: str, value: Value, source: ir.Expr) -> None:
        """Note whether a setting that a local holds was computed from one that speaks of sharing."""
        cue = self.cue_in(source, frame) if is_const(value) or isinstance(value, Sym | DictObj) else ""
        if cue:
            frame.cues[name] = cue
        elif frame.cues:
            frame.cues.pop(name, None)

    def name_module(self, value: Value, name: str, source: ir.Expr | None = None) -> None:
        """A local variable names the module that it holds; the name, or what decides it, may say that it is shared.

        So may the name of the container that it was taken out of.
        """
        self.mean(value, "" if source is None or self.run is not None else cues.of_holder(source))
        if isinstance(value, ModuleObj) and cues.speaks(name):
            self.meant_shared.setdefault(value.id, f"the name {name!r}")

    def mean_items(self, held: Value, source: ir.Expr) -> None:
        """The items of a list that is handed over whole are shared on purpose if its name says so."""
        cue = cues.of_holder(source) if self.run is None else ""
        items = self.live(held.cells["items"]) if cue and isinstance(held, ListObj) else held
        for item in items if cue and type(items) is tuple else ():
            self.mean(item, cue)

    def _place_again(self, value: Value, site: Site, frame: Frame, kind: str) -> None:
        for one in self.possible(value):
            if isinstance(one, ModuleObj):
                key = (one.id, site, self._activation(frame), kind)
                before = self.placed.setdefault(key, self.steps)
                if before != self.steps and self.run is None:
                    self.repeats.setdefault(one.id, site)

    @staticmethod
    def _activation(frame: Frame) -> int:
        scope_ = frame
        while scope_.kind == "comprehension" and scope_.parent is not None:
            scope_ = scope_.parent
        return scope_.id

    def place(self, value: Value, source: ir.Expr, frame: Frame) -> Placement:
        """Note that the source puts `value` into an argument, a list or a dict."""
        if type(value) is not ModuleObj and type(value) is not Choice:
            return NOWHERE
        found = self.placement(value, source, frame, "item")
        self.places += 1
        for one in self.possible(value):
            if isinstance(one, ModuleObj):
                self.listed[one.id] = found
        return found

    def carry_place(self, frame: Frame, name: str, source: ir.Expr) -> None:
        """A local that takes over a parameter takes its place over too."""
        if isinstance(source, ir.Name) and source.id in frame.places:
            frame.places[name] = frame.places[source.id]
        elif name in frame.places:
            del frame.places[name]

    def list_placement(self, value: Value) -> Placement | None:
        """Where an item of a list, or an argument, was last put."""
        for one in self.possible(value):
            if isinstance(one, ModuleObj) and one.id in self.listed:
                return self.listed[one.id]
        return None

    def repeat(self, value: Value, site: Site | None) -> None:
        """`value` is repeated by the expression at `site`."""
        for one in self.possible(value):
            if isinstance(one, ModuleObj) and site is not None:
                self.repeats.setdefault(one.id, site)

    def repeat_common(self, left: Value, right: Value, site: Site | None) -> None:
        """A list is joined to one that holds the same instances over again. In forward, it fills no slots."""
        if type(left) is tuple and type(right) is tuple and self.run is None:
            held = {item.id for item in left if isinstance(item, ModuleObj)}
            again = [item for item in right if isinstance(item, ModuleObj)]
            if len(again) > 1 and all(item.id in held for item in again):
                for item in again:
                    self.repeat(item, site)

    def slot_read(self, func: ir.Expr, frame: Frame) -> Any:
        """The attribute that a called module is read from, as (owner, name)."""
        if isinstance(func, ir.Name):
            return frame.slots.get(func.id)
        if not isinstance(func, ir.Attr) or not isinstance(func.value, ir.Name):
            return None
        owner = self.live(frame.cells.get(func.value.id))
        return (owner, func.name) if isinstance(owner, ModuleObj) and func.name in owner.mods else None

    def carry_slot(self, frame: Frame, name: str, value: Value, source: ir.Expr) -> None:
        """A local that holds a module read from an attribute: calls of it are uses through that slot."""
        read = self.slot_read(source, frame) if isinstance(value, ModuleObj) else None
        frame.slots[name] = read if read is not None and self.live(read[0].mods.get(read[1])) is value else None

    def mark(self, value: Value, fact: str, name: str) -> None:
        """Modules in `value` were reached by a way that several models share."""
        if isinstance(value, ModuleObj):
            self.set(value.facts, fact, True)
            if "name" not in value.facts:
                self.set(value.facts, "name", name)
        elif isinstance(value, ListObj | DictObj) or type(value) is tuple:
            items = self.live(value.cells["items"]) if isinstance(value, ListObj | DictObj) else value
            for item in items.values() if type(items) is dict else items if type(items) is tuple else ():
                if isinstance(item, ModuleObj):
                    self.mark(item, fact, name)


def _number(source: ir.Expr) -> int | None:
    """The number of an expression, or of the part of it that gives the value."""
    match source:
        case ir.IfExp():
            return _number(source.body)
        case ir.Boolean():
            return _number(source.left)
        case ir.Walrus() | ir.Await() | ir.Starred():
            return _number(source.value)
        case _:
            return getattr(source, "n", None)
