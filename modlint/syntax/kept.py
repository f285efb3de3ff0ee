"""Assignments that may leave what stands there: `self.x = self.x if c else v` is `if not c: self.x = v`."""

from __future__ import annotations

from modlint.syntax import ir


def unless_kept(s: ir.Assign) -> ir.Stmt:
    """The assignment as an `if` around it, where one of two values is the assigned attribute itself.

    What is set once is written as either; only as an `if` does it say that the attribute is not written again.
    """
    target, value = s.targets[0], s.value
    if len(s.targets) > 1 or not isinstance(target, ir.Attr) or not isinstance(target.value, ir.Name):
        return s
    if isinstance(value, ir.IfExp):
        if _same(target, value.body):
            return ir.If(value.test, (), (ir.Assign(s.targets, value.orelse),))
        if _same(target, value.orelse):
            return ir.If(value.test, (ir.Assign(s.targets, value.body),), ())
    if isinstance(value, ir.Boolean) and _same(target, value.left):
        other = (ir.Assign(s.targets, value.right),)
        return ir.If(value.left, (), other) if value.op == "or" else ir.If(value.left, other, ())
    return s


def _same(target: ir.Attr, value: ir.Expr) -> bool:
    """Whether an expression is the attribute of a local that is assigned to."""
    if not isinstance(value, ir.Attr) or not isinstance(value.value, ir.Name) or not isinstance(target.value, ir.Name):
        return False
    return (value.name, value.value.id) == (target.name, target.value.id)
