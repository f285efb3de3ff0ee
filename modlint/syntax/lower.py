"""libcst tree -> representation, in one walk over typed fields. Each lowering function is found by the node's type."""

from __future__ import annotations

import ast
import re
from sys import intern
from typing import TYPE_CHECKING, Any

import libcst as cst

from modlint.errors import LogicError
from modlint.syntax import ir
from modlint.syntax.kept import unless_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BINARY = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.FloorDivide: "//",
    cst.Modulo: "%",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.BitAnd: "&",
    cst.BitOr: "|",
    cst.BitXor: "^",
    cst.LeftShift: "<<",
    cst.RightShift: ">>",
    cst.AddAssign: "+",
    cst.SubtractAssign: "-",
    cst.MultiplyAssign: "*",
    cst.DivideAssign: "/",
    cst.FloorDivideAssign: "//",
    cst.ModuloAssign: "%",
    cst.PowerAssign: "**",
    cst.MatrixMultiplyAssign: "@",
    cst.BitAndAssign: "&",
    cst.BitOrAssign: "|",
    cst.BitXorAssign: "^",
    cst.LeftShiftAssign: "<<",
    cst.RightShiftAssign: ">>",
}
_UNARY = {cst.Not: "not", cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~"}
_COMPARE = {
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.LessThan: "<",
    cst.LessThanEqual: "<=",
    cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=",
    cst.Is: "is",
    cst.IsNot: "is not",
    cst.In: "in",
    cst.NotIn: "not in",
}
_ASKING = frozenset({"super", "isinstance", "issubclass"})  # they name a class, but do not build it
_NAMES = {"None": ir.Const(None), "True": ir.Const(True), "False": ir.Const(False)}


class Lowerer:
    """One walk. With `record`, `nodes[n]` is the libcst node that number n stands for.

    The same name is the same string, and the same literal the same constant: representations are smaller by half.
    """

    def __init__(self, record: bool = False) -> None:
        self.count = 0
        self.nodes: list[cst.CSTNode] | None = [] if record else None
        self.mentions: set[str] = set()
        self.calls: set[str] = set()
        self.constants: dict[str, ir.Const] = {}  # by their text
        self.yields = False
        self.quiet = False  # inside a base class list or an annotation: mentions do not count

    def number(self, node: cst.CSTNode) -> int:
        n = self.count
        self.count = n + 1
        if self.nodes is not None:
            self.nodes.append(node)
        return n

    def mention(self, name: str) -> None:
        if not self.quiet:
            self.mentions.add(name)

    # -- expressions ---------------------------------------------------------------------------------------------

    def expr(self, node: cst.BaseExpression) -> ir.Expr:
        return _EXPR[type(node)](self, node)

    def optional(self, node: cst.BaseExpression | None) -> ir.Expr | None:
        return None if node is None else self.expr(node)

    def name(self, node: cst.Name) -> ir.Expr:
        name = intern(node.value)
        if name in _NAMES:
            return _NAMES[name]
        self.mention(name)
        return ir.Name(name, self.number(node))

    def attribute(self, node: cst.Attribute) -> ir.Expr:
        n = self.number(node)
        name = intern(node.attr.value)
        self.mention(name)
        return ir.Attr(self.expr(node.value), name, n)

    def literal(self, node: cst.BaseExpression) -> ir.Expr:
        text = node.value  # type: ignore[attr-defined]
        found = self.constants.get(text)
        if found is None:
            found = self.constants[text] = ir.Const(_evaluate(text))
        return found

    def ellipsis(self, node: cst.Ellipsis) -> ir.Expr:
        return ir.Const(...)

    def concatenated(self, node: cst.ConcatenatedString) -> ir.Expr:
        left, right = self.expr(node.left), self.expr(node.right)
        if isinstance(left, ir.Const) and isinstance(right, ir.Const) and type(left.value) is type(right.value):
            return ir.Const(left.value + right.value)
        return ir.Format((left, right))

    def formatted(self, node: cst.BaseExpression) -> ir.Expr:
        return ir.Format(tuple(part for piece in node.parts for part in self._pieces(piece)))  # type: ignore[attr-defined]

    def _pieces(self, piece: cst.CSTNode) -> list[ir.Expr]:
        if isinstance(piece, cst.FormattedStringText):
            text = piece.value
            return [
                ir.Const(_evaluate(f'"""{text}"""') if "\\" in text else text.replace("{{", "{").replace("}}", "}"))
            ]
        if isinstance(piece, cst.FormattedStringExpression):
            value = self.expr(piece.expression)
            spec = _simple_spec(piece)
            if spec is not None:
                return [ir.Format((value, ir.Name(spec, ir.SPEC)))]
            if piece.format_spec or piece.conversion:
                return [ir.Format((value, ir.Name("", -1)))]
            return [value]
        expression = getattr(piece, "expression", None)
        return [] if expression is None else [self.expr(expression)]

    def call(self, node: cst.Call) -> ir.Expr:
        n = self.number(node)
        func = self.expr(node.func)
        self._called(func)
        if isinstance(func, ir.Name) and func.id in _ASKING:
            outer, self.quiet = self.quiet, True
            args = self.args(node.args)
            self.quiet = outer
            return ir.Call(func, args, n)
        args = self.args(node.args)
        if args and _last_name(func) == "partial":
            self._called(args[0].value)
        return ir.Call(func, args, n)

    def _called(self, func: ir.Expr) -> None:
        name = _last_name(func)
        if name:
            self.calls.add(name)

    def args(self, nodes: Sequence[cst.Arg]) -> tuple[ir.Arg, ...]:
        return tuple(ir.Arg(self.expr(a.value), intern(a.keyword.value) if a.keyword else None, a.star) for a in nodes)

    def subscript(self, node: cst.Subscript) -> ir.Expr:
        n = self.number(node)
        value = self.expr(node.value)
        parts = [self._index(element.slice) for element in node.slice]
        single = len(parts) == 1 and not isinstance(node.slice[0].comma, cst.Comma)
        return ir.Sub(value, parts[0] if single else ir.Sequence("tuple", tuple(parts), n), n)

    def _index(self, node: cst.BaseSlice) -> ir.Expr:
        if isinstance(node, cst.Index):
            value = self.expr(node.value)
            return ir.Starred(value) if node.star else value
        assert isinstance(node, cst.Slice)
        return ir.Slice(self.optional(node.lower), self.optional(node.upper), self.optional(node.step))

    def sequence(self, node: cst.Tuple | cst.List | cst.Set) -> ir.Expr:
        n = self.number(node)
        kind = {cst.Tuple: "tuple", cst.List: "list", cst.Set: "set"}[type(node)]
        return ir.Sequence(kind, tuple(self._element(e) for e in node.elements), n)

    def _element(self, node: cst.BaseElement) -> ir.Expr:
        value = self.expr(node.value)
        return ir.Starred(value) if isinstance(node, cst.StarredElement) else value

    def starred(self, node: cst.StarredElement) -> ir.Expr:
        return ir.Starred(self.expr(node.value))

    def dictionary(self, node: cst.Dict) -> ir.Expr:
        n = self.number(node)
        items: list[tuple[ir.Expr | None, ir.Expr]] = []
        for element in node.elements:
            key = self.expr(element.key) if isinstance(element, cst.DictElement) else None
            items.append((key, self.expr(element.value)))
        return ir.Dict(tuple(items), n)

    def binary(self, node: cst.BinaryOperation) -> ir.Expr:
        n = self.number(node)
        return ir.Binary(_BINARY[type(node.operator)], self.expr(node.left), self.expr(node.right), n)

    def unary(self, node: cst.UnaryOperation) -> ir.Expr:
        op, value = _UNARY[type(node.operator)], self.expr(node.expression)
        if op == "-" and isinstance(value, ir.Const) and isinstance(value.value, int | float):
            return ir.Const(-value.value)
        return ir.Unary(op, value)

    def boolean(self, node: cst.BooleanOperation) -> ir.Expr:
        op = "and" if isinstance(node.operator, cst.And) else "or"
        return ir.Boolean(op, self.expr(node.left), self.expr(node.right))

    def comparison(self, node: cst.Comparison) -> ir.Expr:
        rest = tuple((_COMPARE[type(t.operator)], self.expr(t.comparator)) for t in node.comparisons)
        return ir.Compare(self.expr(node.left), rest)

    def if_exp(self, node: cst.IfExp) -> ir.Expr:
        return ir.IfExp(self.expr(node.test), self.expr(node.body), self.expr(node.orelse))

    def lambda_(self, node: cst.Lambda) -> ir.Expr:
        n = self.number(node)
        return ir.Lambda(self.params(node.params), self.expr(node.body), n)

    def comprehension(self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> ir.Expr:
        n = self.number(node)
        kind = {cst.ListComp: "list", cst.SetComp: "set", cst.GeneratorExp: "gen"}[type(node)]
        return ir.Comp(kind, None, self.expr(node.elt), self._fors(node.for_in), n)

    def dict_comprehension(self, node: cst.DictComp) -> ir.Expr:
        n = self.number(node)
        return ir.Comp("dict", self.expr(node.key), self.expr(node.value), self._fors(node.for_in), n)

    def _fors(self, node: cst.CompFor) -> tuple[ir.For, ...]:
        found = []
        current: cst.CompFor | None = node
        while current is not None:
            ifs = tuple(self.expr(c.test) for c in current.ifs)
            found.append(ir.For(self.expr(current.target), self.expr(current.iter), ifs))
            current = current.inner_for_in
        return tuple(found)

    def walrus(self, node: cst.NamedExpr) -> ir.Expr:
        assert isinstance(node.target, cst.Name)
        return ir.Walrus(node.target.value, self.expr(node.value))

    def await_(self, node: cst.Await) -> ir.Expr:
        return ir.Await(self.expr(node.expression))

    def yield_(self, node: cst.Yield) -> ir.Expr:
        self.yields = True
        if isinstance(node.value, cst.From):
            return ir.Yield(self.expr(node.value.item), True)
        return ir.Yield(self.optional(node.value), False)

    # -- definitions ---------------------------------------------------------------------------------------------

    def params(self, node: cst.Parameters) -> tuple[ir.Param, ...]:
        found = [self._param(p, "positional") for p in node.posonly_params]
        found += [self._param(p, "normal") for p in node.params]
        if isinstance(node.star_arg, cst.Param):
            found.append(self._param(node.star_arg, "*"))
        found += [self._param(p, "keyword") for p in node.kwonly_params]
        if node.star_kwarg is not None:
            found.append(self._param(node.star_kwarg, "**"))
        return tuple(found)

    def _param(self, node: cst.Param, kind: str) -> ir.Param:
        return ir.Param(intern(node.name.value), kind, self.optional(node.default))

    def function(self, node: cst.FunctionDef) -> ir.FuncDef:
        n = self.number(node)
        decorators = tuple(self.expr(d.decorator) for d in node.decorators)
        params = self.params(node.params)
        outer, self.yields = self.yields, False
        body = self.block(node.body)
        generator, self.yields = self.yields, outer
        return ir.FuncDef(intern(node.name.value), params, body, decorators, generator, n)

    def class_(self, node: cst.ClassDef) -> ir.ClassDef:
        return self.class_head(node)._replace(body=self.block(node.body))

    def class_head(self, node: cst.ClassDef) -> ir.ClassDef:
        """A class without its body."""
        n = self.number(node)
        decorators = tuple(self.expr(d.decorator) for d in node.decorators)
        self.quiet = True
        bases = self.args(node.bases) + self.args(node.keywords)
        self.quiet = False
        return ir.ClassDef(intern(node.name.value), bases, (), decorators, n)

    # -- statements ----------------------------------------------------------------------------------------------

    def block(self, node: cst.BaseSuite) -> ir.Block:
        return self.statements(node.body)

    def statements(self, nodes: Sequence[cst.CSTNode]) -> ir.Block:
        found: list[ir.Stmt] = []
        for node in nodes:
            if type(node) is cst.SimpleStatementLine:
                for small in node.body:
                    self.statement(small, found)
            else:
                self.statement(node, found)
        return tuple(found)

    def statement(self, node: cst.CSTNode, found: list[ir.Stmt]) -> None:
        lower = _STMT.get(type(node))
        if lower is not None:
            statement = lower(self, node)
            if statement is not None:
                found.append(statement)

    def expr_stmt(self, node: cst.Expr) -> ir.Stmt | None:
        if isinstance(node.value, cst.SimpleString | cst.Ellipsis):
            return None
        return ir.ExprStmt(self.expr(node.value))

    def assign(self, node: cst.Assign) -> ir.Stmt:
        value = self.expr(node.value)
        return unless_kept(ir.Assign(tuple(self.expr(t.target) for t in node.targets), value))

    def aug_assign(self, node: cst.AugAssign) -> ir.Stmt:
        n = self.number(node)
        return ir.AugAssign(self.expr(node.target), _BINARY[type(node.operator)], self.expr(node.value), n)

    def ann_assign(self, node: cst.AnnAssign) -> ir.Stmt:
        return ir.AnnAssign(self.expr(node.target), _leftmost(node.annotation.annotation), self.optional(node.value))

    def return_(self, node: cst.Return) -> ir.Stmt:
        return ir.Return(self.optional(node.value))

    def raise_(self, node: cst.Raise) -> ir.Stmt:
        return ir.Raise(self.optional(node.exc))

    def assert_(self, node: cst.Assert) -> ir.Stmt:
        return ir.Assert(self.expr(node.test))

    def delete(self, node: cst.Del) -> ir.Stmt:
        target = self.expr(node.target)
        return ir.Delete(target.items if isinstance(target, ir.Sequence) else (target,))

    def break_(self, node: cst.Break) -> ir.Stmt:
        return ir.Jump("break")

    def continue_(self, node: cst.Continue) -> ir.Stmt:
        return ir.Jump("continue")

    def global_(self, node: cst.Global) -> ir.Stmt:
        return ir.Scope("global", tuple(item.name.value for item in node.names))

    def nonlocal_(self, node: cst.Nonlocal) -> ir.Stmt:
        return ir.Scope("nonlocal", tuple(item.name.value for item in node.names))

    def if_(self, node: cst.If) -> ir.Stmt:
        test, body = self.expr(node.test), self.block(node.body)
        if node.orelse is None:
            return ir.If(test, body, ())
        if isinstance(node.orelse, cst.If):
            return ir.If(test, body, (self.if_(node.orelse),))
        return ir.If(test, body, self.block(node.orelse.body))

    def _else(self, node: cst.Else | None) -> ir.Block:
        return () if node is None else self.block(node.body)

    def for_(self, node: cst.For) -> ir.Stmt:
        n = self.number(node)
        return ir.ForStmt(
            self.expr(node.target), self.expr(node.iter), self.block(node.body), self._else(node.orelse), n
        )

    def while_(self, node: cst.While) -> ir.Stmt:
        n = self.number(node)
        return ir.While(self.expr(node.test), self.block(node.body), self._else(node.orelse), n)

    def with_(self, node: cst.With) -> ir.Stmt:
        items = tuple((self.expr(i.item), self.expr(i.asname.name) if i.asname else None) for i in node.items)
        return ir.With(items, self.block(node.body))

    def try_(self, node: cst.Try | cst.TryStar) -> ir.Stmt:
        body = self.block(node.body)
        handlers = tuple(ir.Handler(self.optional(h.type), _as_name(h.name), self.block(h.body)) for h in node.handlers)
        final = self.block(node.finalbody.body) if node.finalbody else ()
        return ir.Try(body, handlers, self._else(node.orelse), final)

    def match(self, node: cst.Match) -> ir.Stmt:
        subject = self.expr(node.subject)
        cases = tuple(ir.Case(self.pattern(c.pattern), self.optional(c.guard), self.block(c.body)) for c in node.cases)
        return ir.Match(subject, cases)

    def pattern(self, node: cst.MatchPattern) -> ir.Pattern:
        match node:
            case cst.MatchValue():
                return ir.MatchValue(self.expr(node.value))
            case cst.MatchSingleton():
                return ir.MatchValue(self.expr(node.value))
            case cst.MatchAs():
                inner = None if node.pattern is None else self.pattern(node.pattern)
                return ir.MatchBind(inner, node.name.value if node.name else None)
            case cst.MatchOr():
                return ir.MatchOr(tuple(self.pattern(e.pattern) for e in node.patterns))
            case cst.MatchList() | cst.MatchTuple():
                stars = [i for i, e in enumerate(node.patterns) if isinstance(e, cst.MatchStar)]
                parts = tuple(self._item_pattern(e) for e in node.patterns)
                return ir.MatchItems(parts, stars[0] if stars else None)
            case cst.MatchClass():
                positional = tuple(
                    self.pattern(e.value) for e in node.patterns if isinstance(e, cst.MatchSequenceElement)
                )
                named = tuple((e.key.value, self.pattern(e.pattern)) for e in node.kwds)
                return ir.MatchType(self.expr(node.cls), positional, named)
            case cst.MatchMapping():
                entries = tuple((self.expr(e.key), self.pattern(e.pattern)) for e in node.elements)
                return ir.MatchEntries(entries, node.rest.value if node.rest else None)
            case _:
                raise LogicError(f"a pattern of type {type(node).__name__}")

    def _item_pattern(self, node: cst.MatchSequenceElement | cst.MatchStar) -> ir.Pattern:
        if isinstance(node, cst.MatchSequenceElement):
            return self.pattern(node.value)
        return ir.MatchBind(None, node.name.value if node.name else None)

    def import_(self, node: cst.Import) -> ir.Stmt:
        return ir.Import(tuple((_dotted(a.name), _as_name(a.asname)) for a in node.names))

    def import_from(self, node: cst.ImportFrom) -> ir.Stmt:
        module = "" if node.module is None else _dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            return ir.ImportFrom(module, len(node.relative), (("*", None),))
        names = tuple((_dotted(a.name), _as_name(a.asname)) for a in node.names)
        return ir.ImportFrom(module, len(node.relative), names)


def _last_name(node: ir.Expr) -> str:
    return node.name if isinstance(node, ir.Attr) else node.id if isinstance(node, ir.Name) else ""


def _evaluate(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError):
        return ...


def _simple_spec(piece: cst.FormattedStringExpression) -> str | None:
    """The format of `{i:02d}`, where it only pads a little."""
    parts = piece.format_spec or ()
    if piece.conversion or len(parts) != 1 or not isinstance(parts[0], cst.FormattedStringText):
        return None
    return parts[0].value if re.fullmatch(r"[<>^]?0?\d{0,2}[ds]?", parts[0].value) else None


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return intern(f"{_dotted(node.value)}.{node.attr.value}")
    return intern(node.value) if isinstance(node, cst.Name) else ""


def _leftmost(node: cst.BaseExpression) -> str:
    while isinstance(node, cst.Subscript):
        node = node.value
    return _dotted(node)


def _as_name(node: cst.AsName | None) -> str | None:
    return intern(node.name.value) if node is not None and isinstance(node.name, cst.Name) else None


_EXPR: dict[type, Callable[[Lowerer, Any], ir.Expr]] = {
    cst.Name: Lowerer.name,
    cst.Attribute: Lowerer.attribute,
    cst.Integer: Lowerer.literal,
    cst.Float: Lowerer.literal,
    cst.Imaginary: Lowerer.literal,
    cst.SimpleString: Lowerer.literal,
    cst.ConcatenatedString: Lowerer.concatenated,
    cst.FormattedString: Lowerer.formatted,
    cst.Ellipsis: Lowerer.ellipsis,
    cst.Call: Lowerer.call,
    cst.Subscript: Lowerer.subscript,
    cst.Tuple: Lowerer.sequence,
    cst.List: Lowerer.sequence,
    cst.Set: Lowerer.sequence,
    cst.StarredElement: Lowerer.starred,
    cst.Dict: Lowerer.dictionary,
    cst.BinaryOperation: Lowerer.binary,
    cst.UnaryOperation: Lowerer.unary,
    cst.BooleanOperation: Lowerer.boolean,
    cst.Comparison: Lowerer.comparison,
    cst.IfExp: Lowerer.if_exp,
    cst.Lambda: Lowerer.lambda_,
    cst.ListComp: Lowerer.comprehension,
    cst.SetComp: Lowerer.comprehension,
    cst.GeneratorExp: Lowerer.comprehension,
    cst.DictComp: Lowerer.dict_comprehension,
    cst.NamedExpr: Lowerer.walrus,
    cst.Await: Lowerer.await_,
    cst.Yield: Lowerer.yield_,
}
if hasattr(cst, "TemplatedString"):
    _EXPR[cst.TemplatedString] = Lowerer.formatted

_STMT: dict[type, Callable[[Lowerer, Any], ir.Stmt | None]] = {
    cst.Expr: Lowerer.expr_stmt,
    cst.Assign: Lowerer.assign,
    cst.AugAssign: Lowerer.aug_assign,
    cst.AnnAssign: Lowerer.ann_assign,
    cst.Return: Lowerer.return_,
    cst.Raise: Lowerer.raise_,
    cst.Assert: Lowerer.assert_,
    cst.Del: Lowerer.delete,
    cst.Break: Lowerer.break_,
    cst.Continue: Lowerer.continue_,
    cst.Global: Lowerer.global_,
    cst.Nonlocal: Lowerer.nonlocal_,
    cst.If: Lowerer.if_,
    cst.For: Lowerer.for_,
    cst.While: Lowerer.while_,
    cst.With: Lowerer.with_,
    cst.Try: Lowerer.try_,
    cst.TryStar: Lowerer.try_,
    cst.Match: Lowerer.match,
    cst.FunctionDef: Lowerer.function,
    cst.ClassDef: Lowerer.class_,
    cst.Import: Lowerer.import_,
    cst.ImportFrom: Lowerer.import_from,
}
