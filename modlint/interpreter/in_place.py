"""What is changed in place: the value of a target before a change, and the writes of tensors.

A registered tensor knows whose it is. One at a plain attribute (`self.h = torch.zeros(4)`) does not; where it is
changed by the name of the attribute, it is taken with the place at which it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter.known_names import in_place
from modlint.interpreter.tracking import keeper, note_write
from modlint.interpreter.values import STATE, Choice, ModuleObj, Sym, Tensor, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

PLAIN = "plain"
_COMPUTED = frozenset({"data", "join"})


def to_change(m: Interpreter, target: ir.Expr, frame: Frame) -> Value:
    """As `load_for_update`, of what a method or an item assignment changes: a tensor comes with where it stands."""
    from modlint.interpreter.expressions import evaluate, load_for_update

    chained = _changes(target)  # x.mul_(a).add_(b) changes x twice
    value = evaluate(m, target, frame) if chained else load_for_update(m, target, frame)
    if m.run is None or not isinstance(value, Sym | Choice | Tensor):
        return value
    part = False
    while True:
        if isinstance(target, ir.Call) and isinstance(target.func, ir.Attr) and _changes(target):
            target = target.func.value
        elif isinstance(target, ir.Sub):
            part = part or not _is_whole(target.item)
            target = target.value
        elif isinstance(target, ir.Attr) and target.name == "data":
            target = target.value
        else:
            break
    if isinstance(value, Tensor):
        return value.partly() if part else value
    if not isinstance(target, ir.Attr) or not isinstance(target.value, ir.Name):
        return value
    obj = evaluate(m, target.value, frame)
    stands = isinstance(obj, ModuleObj) and _is_computed(m.live(obj.cells.get(target.name)))
    return Tensor(m.fresh(), PLAIN, obj, target.name, False, part) if stands else value


def _is_whole(item: ir.Expr) -> bool:
    """Whether an index leaves nothing out: `[:]`, `[...]`."""
    if isinstance(item, ir.Slice):
        return item.lower is None and item.upper is None and item.step is None
    return isinstance(item, ir.Const) and item.value is Ellipsis


def _changes(e: ir.Expr) -> bool:
    return isinstance(e, ir.Call) and isinstance(e.func, ir.Attr) and in_place(e.func.name)


def _is_computed(value: Value) -> bool:
    """Whether a value is a tensor that something computed."""
    values = [one for _, one in value.alts] if type(value) is Choice else [value]
    return all(isinstance(one, Sym) and one.op in _COMPUTED for one in values)


def changed(m: Interpreter, tensor: Tensor) -> Value:
    """What an in-place method of a tensor returns."""
    if tensor.kind == PLAIN and tensor.owner is not None:
        return m.live(tensor.owner.cells[tensor.name])
    return tensor


def made_from(m: Interpreter, tensor: Tensor, value: Value) -> bool:
    """Whether a value is computed from what a buffer holds, and is not the buffer itself."""
    return value is not tensor and -tensor.id in m.src_of(value)


def write_tensor(m: Interpreter, tensor: Tensor, taint: int, update: bool) -> None:
    """An in-place write to a tensor of a module during forward. One of a constant makes what was there vanish."""
    obj, name = tensor.owner, tensor.name
    if m.run is None or obj is None:
        return
    if tensor.kind == PLAIN:
        before = obj.cells[name]
        kept = m.taint_of(before) if update or tensor.part else 0
        m.set(obj.cells, name, m.data(taint | kept | (STATE if update else 0), m.src_of(before)))
    else:
        m.set(obj.facts, f"version of {name}", m.fresh())
    if update:
        taint |= STATE
    obj, name = keeper(m, obj, name)
    if tensor.persistent and taint and m.run.of(obj) is not None:
        m.keeps(obj, name)
    elif taint or not tensor.part:
        note_write(m, obj, name, taint, update)
