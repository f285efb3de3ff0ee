"""A function's activation, and one execution of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.values import ClassV, ModuleObj, Placement, PyModule, Value


class Frame:
    """Local variables and what encloses them.

    `cells` are the locals (of a class body: its namespace; of a module: its globals). `places` tells where the caller
    wrote the argument that a parameter holds, `cues` what in the source of a local speaks of sharing. `owner` is the
    class that the running method stands in.
    """

    __slots__ = (
        "cells",
        "cues",
        "first",
        "id",
        "kind",
        "module",
        "owner",
        "parent",
        "places",
        "qualname",
        "scopes",
        "slots",
        "yields",
    )

    def __init__(
        self,
        id: int,
        kind: str,
        module: PyModule,
        qualname: str,
        parent: Frame | None = None,
        cells: dict[str, Value] | None = None,
        owner: ClassV | None = None,
    ) -> None:
        self.id = id
        self.kind = kind  # "module", "class", "function" or "comprehension"
        self.module = module
        self.qualname = qualname
        self.parent = parent
        self.cells: dict[str, Value] = {} if cells is None else cells
        self.owner = owner
        self.first: Value = None  # the first argument, for super()
        self.places: dict[str, Placement] = {}
        self.cues: dict[str, str] = {}
        self.slots: dict[str, tuple[ModuleObj, str] | None] = {}  # attributes that locals were read from
        self.scopes: dict[str, str] = {}  # names declared global or nonlocal
        self.yields: dict[str, Value] | None = None


class Loop:
    """A loop under way: its number, whether its trip count is known, whether constructor arguments decide it.

    It is also the target of the loop's breaks. `round` counts from 0; `rounds` is how many are run.
    """

    __slots__ = ("configured", "id", "known", "round", "rounds")

    def __init__(self, id: int, known: bool, configured: bool = False) -> None:
        self.id = id
        self.known = known
        self.configured = configured
        self.round = 0
        self.rounds = 1


class Within:
    """A loop while it is under way: a context manager, as a class because a generator costs five times as much."""

    __slots__ = ("_loop", "_loops")

    def __init__(self, loops: list[Loop], loop: Loop) -> None:
        self._loops = loops
        self._loop = loop

    def __enter__(self) -> Loop:
        self._loops.append(self._loop)
        return self._loop

    def __exit__(self, *raised: object) -> None:
        self._loops.pop()


class Run:
    """One execution of a module: its order among the uses, and the run that it happens inside."""

    __slots__ = ("checkpointed", "counted", "obj", "order", "parent", "wrote")

    def __init__(
        self, order: int, obj: ModuleObj, parent: Run | None, checkpointed: Site | None, counted: bool = True
    ) -> None:
        self.order = order
        self.obj = obj
        self.parent = parent
        self.checkpointed = checkpointed
        self.counted = counted  # False for a method that is called from outside, which is no use
        self.wrote: set[str] = set()  # attributes of `obj` that it gave values made from data

    @property
    def outermost(self) -> Run:
        """The execution of the whole model that this one is part of."""
        run = self
        while run.parent is not None:
            run = run.parent
        return run

    def of(self, obj: ModuleObj) -> Run | None:
        """The innermost execution of `obj` among this run and those around it."""
        run: Run | None = self
        while run is not None:
            if run.obj is obj:
                return run
            run = run.parent
        return None
