"""Assignments that may leave what stands there: `self.x = self.x if c else v` is `if not c: self.x = v`."""

from __future__ import annotations

from modlint.syntax import ir


def unless_kept(s: ir.Assign) -> ir.Stmt:
    """The assignment as an `if` around it, where one of two values is the assigned attribute itself.

    What is set once is written as either; only as an `if` does it say that the attribute is not written again.
    """
    target, value = s.targets[0], s.value
    if len(s.targets) > 1:
        return s
    if isinstance(value, ir.IfExp):
        if is_same_attribute(target, value.body):
            return ir.If(value.test, (), (ir.Assign(s.targets, value.orelse),))
        if is_same_attribute(target, value.orelse):
            return ir.If(value.test, (ir.Assign(s.targets, value.body),), ())
    if isinstance(value, ir.Boolean) and is_same_attribute(target, value.left):
        other = (ir.Assign(s.targets, value.right),)
        return ir.If(value.left, (), other) if value.op == "or" else ir.If(value.left, other, ())
    return s


def is_same_attribute(target: ir.Expr, value: object) -> bool:
    """Whether both are one attribute of one local: `self.x` and `self.x`."""
    if not isinstance(target, ir.Attr) or not isinstance(value, ir.Attr) or value.name != target.name:
        return False
    own, other = target.value, value.value
    return isinstance(own, ir.Name) and isinstance(other, ir.Name) and own.id == other.id
