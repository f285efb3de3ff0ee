"""Context managers: what `with` binds, and what runs when its block is left, by whichever way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.machine import Dead
from modlint.interpreter.values import BoundV, CallArgs, ContextV, ExtV, FuncV, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

_GRADIENTS = {"torch.no_grad": False, "torch.inference_mode": False, "torch.enable_grad": True} | {
    f"torch.{name}": True for name in ("set_grad_enabled", "autograd.set_grad_enabled")
}


def enter(m: Interpreter, manager: Value) -> Value:
    """What `with manager as ...` binds."""
    if isinstance(manager, ContextV):
        return manager.value
    user = classes.find_any(getattr(manager, "cls", None), "__enter__")
    if isinstance(user, FuncV):
        return m.call(BoundV(user, manager), CallArgs((), {}, None))
    return manager


def gradients_in(m: Interpreter, manager: ir.Expr, frame: Frame) -> bool | None:
    """Whether a block under `torch.no_grad()` and the like has gradients; None where the manager does not say so."""
    from modlint.interpreter.expressions import evaluate

    if not isinstance(manager, ir.Call) or not isinstance(manager.func, ir.Name | ir.Attr):
        return None
    func = evaluate(m, manager.func, frame)
    if not isinstance(func, ExtV) or func.dotted not in _GRADIENTS:
        return None
    if not manager.args:
        return _GRADIENTS[func.dotted]
    said = m.concrete(evaluate(m, manager.args[0].value, frame))
    if not isinstance(said, bool):
        return None
    return said if func.dotted.endswith("set_grad_enabled") else not said


def leaving(m: Interpreter, manager: Value) -> Callable[[], bool] | None:
    """What `manager` runs at the end of its block, if anything: says whether a path goes on."""
    if isinstance(manager, ContextV):
        return manager.leave
    user = classes.find_any(getattr(manager, "cls", None), "__exit__")
    if not isinstance(user, FuncV):
        return None

    def leave() -> bool:
        m.call(BoundV(user, manager), CallArgs((None, None, None), {}, None))
        return True

    return leave


def halves(block: ir.Block) -> tuple[ir.Block, ir.Block] | None:
    """A generator's body up to its only yield, and what follows that; None where it stands in a branch or a loop."""
    for index, statement in enumerate(block):
        if not _yields(statement):
            continue
        before, after = block[: index + 1], block[index + 1 :]
        if isinstance(statement, ir.ExprStmt | ir.Assign):
            return None if any(map(_yields, after)) else (before, after)
        if isinstance(statement, ir.Try | ir.With) and (inner := halves(statement.body)) is not None:
            final = (*statement.orelse, *statement.final) if isinstance(statement, ir.Try) else ()
            held = (statement._replace(body=inner[0]),) if isinstance(statement, ir.With) else inner[0]
            rest = (*inner[1], *final, *after)
            return None if any(map(_yields, rest)) else ((*block[:index], *held), rest)
        return None
    return None


def _yields(node: object) -> bool:
    if isinstance(node, ir.Yield):
        return not node.whole
    if isinstance(node, ir.FuncDef | ir.Lambda | ir.ClassDef):
        return False
    return isinstance(node, tuple) and any(_yields(part) for part in node if isinstance(part, tuple))


def rest_of(m: Interpreter, block: ir.Block, frame: Frame) -> Callable[[], bool]:
    """The second half of a generator's body, in the frame of the first."""
    from modlint.interpreter.statements import execute

    def leave() -> bool:
        start = len(m.pending)
        falls = execute(m, block, frame)
        exits = m.take(start, frame)
        if falls:
            exits.append(m.here())
        if not exits:
            raise Dead
        m.merge(exits)
        return True

    return leave
