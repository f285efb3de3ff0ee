"""A file -> its models, each interpreted: classes on their own, what functions build, what the top level builds.

A class is a model of its own. What is not known of its constructor's arguments stays open; if something in the tree
calls the class and runs what it built, that counts; where nothing runs it, only what holds for any arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from modlint.graph import UseGraph
from modlint.interpreter import classes, module_api, roots, tracking
from modlint.interpreter.build import again, build, claimed, nothing_again, objects
from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.interpreter import BUDGET, Interpreter
from modlint.interpreter.machine import Dead, GiveUp
from modlint.interpreter.recall import Recall, imported
from modlint.interpreter.scope import attribute, load
from modlint.interpreter.values import (
    INPUT,
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    FuncV,
    ModuleObj,
    PyModule,
    Sym,
    Value,
    is_const,
)
from modlint.syntax.source import in_one_chunk, room_for_recursion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from modlint.catalogue import Catalogue
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.recall import Key
    from modlint.interpreter.tracking import RawUse
    from modlint.syntax import ir
    from modlint.syntax.tree import SourceTree
    from modlint.syntax.units import Change

_FUNCTION_BUDGET = BUDGET // 4
_MOST_ROOTS = 16  # models of one function


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model: its graph, and how often and why something in it stayed unknown.

    Of an analysis that is `only_reuse`, the graph is empty where no instance can be reused.
    """

    graph: UseGraph
    unknowns: tuple[tuple[str, int], ...] = ()
    without_entry: tuple[tuple[str, int], ...] = ()
    steps: int = 0
    instances: int = field(default=0)


class Analysis:
    """Interprets the files of one tree, one after the other; what it says of a file does not depend on the order."""

    def __init__(
        self,
        tree: SourceTree,
        catalogue: Catalogue,
        budget: int = BUDGET,
        *,
        only_reuse: bool = False,
        recalls: bool = False,
    ) -> None:
        """`recalls`: keep the results of models, for what `exchange` leaves as it was."""
        self._only_reuse = only_reuse
        self._m = Interpreter(tree, catalogue)
        self._m.recalls = recalls
        self._recall = Recall(self._m) if recalls else None
        self._tree = tree
        self._budget = budget
        self._run: set[int] = set()  # ids of the classes of which some instance ran, and of functions that ran before

    @in_one_chunk
    def models(self, path: str) -> list[ModelResult]:
        """Every model of a file."""
        m = self._m
        m.begin(self._budget)
        self._run.clear()  # which files were looked at before decides nothing
        module = load(m, path)
        if module is None:
            return []
        results: list[ModelResult] = []
        with room_for_recursion():
            found = roots.classes_of(module)
            called = [cls for cls in found if self._is_built(module, cls)]
            for cls in found:
                if cls not in called:
                    results += self._results(path, ("class", cls.id, False), partial(self._class, cls, False))
            builders: list[FuncV | BoundV] = [*roots.builders(m, module), *roots.alternatives(m, module)]
            for builder in builders:
                function = builder.func if isinstance(builder, BoundV) else builder
                if function.id in self._run:
                    continue
                make = partial(self._function, builder, function.qualname)
                results += self._results(path, ("function", function.id, False), make)
            results += self._results(path, ("file", 0, False), partial(self._top_level, module))
            for cls in called:
                if cls.id not in self._run:
                    results += self._results(path, ("class", cls.id, True), partial(self._class, cls, True))
        m.begin(self._budget)
        return results

    def _results(self, path: str, key: Key, make: Callable[[], Iterator[ModelResult]]) -> Iterable[ModelResult]:
        return make() if self._recall is None else self._recall.of(path, key, self._run, make)

    def configured(self, path: str, name: str, arguments: Callable[[Interpreter], CallArgs]) -> ModelResult | None:
        """What a class or function of a file builds of given arguments; to compare with an instance that has them."""
        m = self._m
        m.begin(self._budget)
        module = load(m, path)
        if module is None:
            return None
        with room_for_recursion():
            root = self._made(lambda: m.call(attribute(m, module, name), arguments(m)))
            return None if root is None else self._forward(root, "forward", name, False)

    def forget(self, path: str) -> None:
        """Run a file anew when it is next needed. Right only while no other file has looked it up."""
        self._m.release(path)

    def forget_all(self, paths: Collection[str]) -> bool:
        """Run files anew, all that have looked up one of them among them. False where all files have to be run anew."""
        self._m.begin(self._budget)
        if self._recall is None or not self._recall.take_back(paths):
            return False
        for path in paths:
            self._m.release(path)
            self._recall.forget(path)
        return True

    def imports_alike(self, path: str, file: ir.FileIR) -> bool:
        """Whether a version of a file imports the same of the tree, and runs the same imports for what they do."""
        module = self._m.files.get(path)
        return module is None or imported(self._tree, path, module.ir) == imported(self._tree, path, file)

    def exchange(self, path: str, file: ir.FileIR, change: Change) -> list[str]:
        """Take other functions for those of a file; nothing is done if files have to be run again for it: these.

        Only of an analysis that recalls.
        """
        self._m.begin(self._budget)
        return [path] if self._recall is None else self._recall.exchange(path, file, change)

    # -- roots ---------------------------------------------------------------------------------------------------

    def _class(self, cls: ClassV, restricted: bool) -> Iterator[ModelResult]:
        m = self._m
        if not cls.is_module:
            return
        for entry in roots.entries(m, cls):
            root = self._built(cls, (bool, ModuleObj) if restricted else ())
            if root is None:
                root, restricted = self._built(cls, (object,)), True
            if root is not None:
                yield self._forward(root, entry, cls.qualname, restricted)

    def _built(self, cls: ClassV, opened: tuple[type, ...]) -> ModuleObj | None:
        """An instance of a class, `opened` the defaults of its constructor that are not relied on.

        A class that refuses its own defaults is built with all of them open.
        """
        m = self._m

        def make() -> Value:
            m.open_defaults = (cls.id, opened)
            return m.call(cls, CallArgs((), {}))

        root = self._made(make)
        m.accepted = m.pc
        return root

    def _made(self, make: Callable[[], Value]) -> ModuleObj | None:
        """The module that `make` builds. Of too many paths the one that is followed may raise: then another is."""
        m = self._m
        for against in (False, True):
            m.begin(self._budget)
            m.conds.against = against
            root = _one(self._attempt(make))
            if root is not None or not m.narrowed:
                return root
        return None

    def _is_built(self, module: PyModule, cls: ClassV) -> bool:
        return cls.name in module.ir.calls or self._tree.called_elsewhere(cls.name, module.path)

    def _function(self, builder: FuncV | BoundV, name: str) -> Iterator[ModelResult]:
        m = self._m
        m.begin(_FUNCTION_BUDGET)
        self._attempt(lambda: m.call(builder, CallArgs((), {})))
        found = roots.unheld(m, m.modules)
        for index in range(min(len(found), _MOST_ROOTS)):
            if index:
                m.begin(_FUNCTION_BUDGET)
                self._attempt(lambda: m.call(builder, CallArgs((), {})))
                again = roots.unheld(m, m.modules)
                if index >= len(again):
                    break
                yield self._forward(again[index], "forward", name, True)
            else:
                yield self._forward(found[0], "forward", name, True)

    def _top_level(self, module: PyModule) -> Iterator[ModelResult]:
        m = self._m
        for root in roots.unheld(m, module.made)[:_MOST_ROOTS]:
            m.begin(_FUNCTION_BUDGET)
            yield self._forward(root, "forward", "<module>", False)

    def _attempt(self, action: Callable[[], Value]) -> Value:
        m = self._m
        try:
            return action()
        except Dead:
            m.pc = ALWAYS
            m.pending.clear()
            m.note("gave up: every path raises")
        except GiveUp as reason:
            m.note(str(reason))
            m.pc = ALWAYS
            m.pending.clear()
        except RecursionError:
            m.note("gave up: recursion")
            m.pc = ALWAYS
            m.pending.clear()
        return None

    # -- forward -------------------------------------------------------------------------------------------------

    def _forward(self, root: ModuleObj, entry: str, model: str, restricted: bool) -> ModelResult:
        """Run `entry` once, counting; then see what state crosses calls.

        Of nine models in ten no instance runs twice. Which state theirs have says nothing of reuse: it is looked at
        only where something stayed unknown, so that the reasons are counted as often as elsewhere, if they are.
        """
        m = self._m
        m.pc = ALWAYS
        self._attempt(lambda: _train(m, root))
        m.pc = ALWAYS
        m.counting = True
        noted = m.unknowns.total()
        self._attempt(lambda: _call(m, root, entry))
        m.counting = False
        m.accepted = _both(m, m.accepted, m.pc)
        if entry != "forward":
            m.uses = _without_step(m.uses)
        name = classes.type_name(root) if isinstance(root.cls, ClassV) else model
        self._run |= {use.obj.cls.id for use in claimed(m, restricted) if isinstance(use.obj.cls, ClassV)}
        self._run |= m.activated
        counts = self._recall is None and noted != m.unknowns.total()  # in an editor nobody asks for the reasons
        if counts or not (self._only_reuse and nothing_again(m)):
            self._again(root, entry)
        if m.narrowed:
            m.note("gave up: too many paths")
        m.budget = m.steps + BUDGET
        m.pc = ALWAYS
        if self._only_reuse and nothing_again(m):
            graph, instances = UseGraph(name), len(objects(m, root, restricted))
        else:
            graph = build(m, root, name, restricted)
            instances = len(graph.instances())
        unknowns = tuple(sorted(m.unknowns.items()))
        missing = tuple(sorted(m.without_entry.items()))
        return ModelResult(graph, unknowns, missing, m.steps, instances)

    def _again(self, root: ModuleObj, entry: str) -> None:
        """Forward once more where attributes were written, and in eval mode: what state crosses calls."""
        m = self._m
        if any(obj.meta for obj in _reached(m, root)):
            m.pc = ALWAYS
            m.run, m.depth = None, 0
            self._attempt(lambda: _call(m, root, entry))
        tracking.settle(m)
        reached = self._judged(root) if m.asked_training else []
        if any(m.writes_in_eval(obj.cls) for obj in reached):
            self._evaluate(root, entry)
        tracking.forget_steps(m)

    def _judged(self, root: ModuleObj) -> list[ModuleObj]:
        """The instances that decide what is told: all, or those that may be used again, what is below and around."""
        m = self._m
        reached = _reached(m, root)
        if not self._only_reuse:
            return reached
        told = {obj.id for one in again(m) for obj in module_api.walk(m, one)}
        return [obj for obj in reached if any(below.id in told for below in module_api.walk(m, obj))]

    def _evaluate(self, root: ModuleObj, entry: str) -> None:
        """Forward twice in eval mode, where the model asks for the mode: what crosses calls only there."""
        m = self._m
        m.evaluating = True
        for obj in _reached(m, root):
            m.set(obj.cells, "training", False)
        before = _written(m, root)
        for _ in range(2):
            m.pc = ALWAYS
            m.run, m.depth = None, 0
            self._attempt(lambda: _call(m, root, entry))
            if _written(m, root) == before:
                break
        tracking.settle(m)
        for obj in _reached(m, root):
            m.set(obj.cells, "training", MISSING)
        m.evaluating = False


def interpret(tree: SourceTree, path: str, catalogue: Catalogue, *, budget: int = BUDGET) -> list[ModelResult]:
    """All models of one file. For several files of a tree, use one `Analysis`."""
    return Analysis(tree, catalogue, budget).models(path)


def _both(m: Interpreter, one: Cond, other: Cond) -> Cond:
    """The arguments with which neither constructor nor forward raises; of the constructor alone, if that is much."""
    try:
        return m.conjoin(one, other) or one
    except GiveUp:
        return one


def _one(built: Value) -> ModuleObj | None:
    """The module that was built, by the first path that built one."""
    values = (value for _, value in built.alts) if isinstance(built, Choice) else (built,)
    return next((value for value in values if isinstance(value, ModuleObj)), None)


def _reached(m: Interpreter, root: ModuleObj) -> list[ModuleObj]:
    return list({obj.id: obj for obj in (*module_api.walk(m, root), *m.modules, *(u.obj for u in m.uses))}.values())


def _written(m: Interpreter, root: ModuleObj) -> list[int]:
    """What forward has written so far, by the identity of the records."""
    return [id(record) for obj in _reached(m, root) for record in obj.meta.values()]


def _train(m: Interpreter, root: ModuleObj) -> None:
    """`model.train()`, where some class overrides it."""
    if any(isinstance(classes.find_any(obj.cls, "train"), FuncV) for obj in module_api.walk(m, root)):
        user = classes.find_any(root.cls, "train")
        if isinstance(user, FuncV):
            m.call(BoundV(user, root), CallArgs((True,), {}))
        else:
            module_api.set_training(m, root, True)
    else:
        for obj in module_api.walk(m, root):
            if "training" in obj.cells:
                m.set(obj.cells, "training", True)


def _call(m: Interpreter, root: ModuleObj, entry: str) -> Value:
    if entry != "forward":
        function = classes.find_any(root.cls, entry)
        return m.run_module(root, function, _inputs(m, function, 1))
    return m.call_module(root, _inputs(m, *_entry_function(m, root)))


def _without_step(uses: list[RawUse]) -> list[RawUse]:
    """The uses in a training step, which is itself no execution of the model: that is what `self(x)` in it is."""
    step = uses[0].order if uses else None
    return [use._replace(parent=None) if use.parent == step else use for use in uses[1:]]


def _entry_function(m: Interpreter, root: ModuleObj) -> tuple[Value, int]:
    """The function whose parameters the inputs must fill, and how many leading ones are bound already."""
    user = classes.find_any(root.cls, "__call__")
    if isinstance(user, FuncV):
        return user, 1
    own = root.cells.get("forward")
    for value in m.possible(m.live(own)):
        if isinstance(value, BoundV) and isinstance(value.func, FuncV):
            return value.func, 1
        if isinstance(value, FuncV):
            return value, 0
    return classes.find_any(root.cls, "forward"), 1


def _inputs(m: Interpreter, function: Value, bound: int) -> CallArgs:
    """Tensors for every parameter; one with a constant default may be anything, one with an object keeps it."""
    if not isinstance(function, FuncV):
        return CallArgs((m.data(INPUT),), {})
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    for param in function.params[bound:]:
        if param.kind == "*":
            kwargs["*"] = m.data(INPUT)
        elif param.kind == "**":
            kwargs["**"] = m.data(INPUT)
        else:
            default = m.live(function.defaults.get(param.name))
            if default is not None and not is_const(default) and not isinstance(default, Sym) and default != ():
                continue
            value = Sym(m.fresh(), "input", (), INPUT)
            if param.kind == "positional":
                args.append(value)
            else:
                kwargs[param.name] = value
    return CallArgs(tuple(args), kwargs)
