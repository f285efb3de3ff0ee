"""What is changed in place: the value of a target before a change, and the writes of tensors.

A registered tensor knows whose it is. One at a plain attribute (`self.h = torch.zeros(4)`) does not; where it is
changed by the name of the attribute, it is taken with the place at which it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter.known_names import in_place
from modlint.interpreter.tracking import keeper, note_write
from modlint.interpreter.values import STATE, Choice, DictObj, ListObj, ModuleObj, Sym, Tensor, Value
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
            if (entry := _entry(m, target, frame)) is not None:
                return Tensor(m.fresh(), PLAIN, *entry, False, part) if _is_computed(value) else value
            part = part or not _is_whole(target.item)
            target = target.value
        elif isinstance(target, ir.Attr) and target.name == "data":
            target = target.value
        else:
            break
    if isinstance(value, Tensor):
        return value.partly() if part else value
    return _standing(m, target, value, part, frame)


def _entry(m: Interpreter, target: ir.Sub, frame: Frame) -> tuple[ModuleObj, str] | None:
    """Where an entry of a list or dict stands that hangs at a module's attribute."""
    from modlint.interpreter.expressions import evaluate, load_for_update

    if not isinstance(target.value, ir.Attr | ir.Name) or not isinstance(target.item, ir.Name | ir.Const | ir.Attr):
        return None
    held = load_for_update(m, target.value, frame)
    if not isinstance(held, ListObj | DictObj) or held.owner is None:
        return None
    name = m.entry_of(held, evaluate(m, target.item, frame))
    return (held.owner[0], held.owner[1] + name) if name else None


def _standing(m: Interpreter, target: ir.Expr, value: Value, part: bool, frame: Frame) -> Value:
    """A computed tensor with the attribute at which it stands, by whatever name; what stands nowhere as it is."""
    from modlint.interpreter.expressions import evaluate

    obj, name = None, ""
    if isinstance(target, ir.Attr) and isinstance(target.value, ir.Name):
        obj, name = evaluate(m, target.value, frame), target.name
    elif isinstance(target, ir.Name) and type(value) is Sym and m.run is not None:
        obj = m.run.obj
        name = next((key for key, held in obj.cells.items() if held is value), "")
    stands = isinstance(obj, ModuleObj) and name in obj.cells and _is_computed(m.live(obj.cells[name]))
    return Tensor(m.fresh(), PLAIN, obj, name, False, part) if stands else value


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
    if tensor.kind != PLAIN or tensor.owner is None:
        return tensor
    return m.live(tensor.owner.cells[tensor.name]) if tensor.name in tensor.owner.cells else m.data(STATE)


def made_from(m: Interpreter, tensor: Tensor, value: Value) -> bool:
    """Whether a value is computed from what a buffer holds, and is not the buffer itself."""
    return value is not tensor and -tensor.id in m.src_of(value)


def write_tensor(m: Interpreter, tensor: Tensor, taint: int, update: bool) -> None:
    """An in-place write to a tensor of a module during forward. One of a constant makes what was there vanish."""
    obj, name = tensor.owner, tensor.name
    if m.run is None or obj is None:
        return
    if tensor.kind == PLAIN and name in obj.cells:
        before = obj.cells[name]
        kept = m.taint_of(before) if update or tensor.part else 0
        m.set(obj.cells, name, m.data(taint | kept | (STATE if update else 0), m.src_of(before)))
    elif tensor.kind != PLAIN:
        m.set(obj.facts, f"version of {name}", m.fresh())
    if update:
        taint |= STATE
    obj, name = keeper(m, obj, name)
    if tensor.persistent and taint and m.run.of(obj) is not None:
        m.keeps(obj, name)
    elif taint or not tensor.part:
        note_write(m, obj, name, taint, update)
