"""Picture -> Graphviz source, or an SVG that needs nothing installed: callers left, callees right, first use on top."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from modlint.graph import StateClass
from modlint.trace.picture import COLOURS, OUTLINES, PLAIN, Standing

if TYPE_CHECKING:
    from modlint.trace.picture import Edge, Node, Picture

_ROW, _HEIGHT, _MARGIN = 44, 34, 24
_LEAST = 90  # width of a column's boxes
_THICKNESS = {Standing.PLAIN: 1.0, Standing.INSIDE: 1.4, Standing.REUSED: 2.6}
_LEGEND = 590.0
_SIGNS = (
    "Numbers: order of execution. ×n: runs n times. +n: n inside, not drawn. Dashed: the module around it is reused."
)
_STYLE = (
    ".title{font-size:15px;font-weight:bold}.small{font-size:10px;fill:#444}"
    ".number{font-size:10px;paint-order:stroke;stroke:#fff;stroke-width:2px}"
)


def dot(picture: Picture) -> str:
    """Graphviz source: `dot -Tsvg` draws it."""
    lines = [
        f"digraph {json.dumps(picture.title, ensure_ascii=False)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=9];',
        f"  label={_quoted(picture.title + chr(10) + picture.summary)}; labelloc=t; "
        'fontname="sans-serif"; fontsize=11;',
    ]
    for node in picture.nodes:
        label = _quoted(f"{node.title}\n{node.subtitle}" if node.subtitle else node.title)
        dashed = ', style="rounded,filled,dashed"' if node.standing is Standing.INSIDE else ""
        lines.append(
            f'  {_quoted(node.key)} [label={label}, fillcolor="{node.fill}", color="{node.outline}", '
            f"penwidth={_THICKNESS[node.standing]:g}{dashed}];"
        )
    for edge in picture.edges:
        width = 1.8 if edge.reused else 1
        lines.append(
            f"  {_quoted(edge.caller)} -> {_quoted(edge.callee)} "
            f'[label={_quoted(edge.label)}, color="{edge.outline}", fontcolor="{edge.outline}", penwidth={width}];'
        )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def svg(picture: Picture) -> str:
    """A standalone drawing with a legend: the tree of calls, in which a further use of an instance mentions it."""
    rows = _rows(picture)
    columns = _columns(rows)
    top = _MARGIN + 44.0
    boxes = [_Box(*columns[row.depth], top + at * _ROW) for at, row in enumerate(rows)]
    width = max([box.right for box in boxes] + [_text(picture.summary, 11), _LEGEND]) + 2 * _MARGIN
    height = top + len(rows) * _ROW + 84
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif">',
        f"<title>{escape(picture.title)}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{''.join(_arrow(c) for c in dict.fromkeys(edge.outline for edge in picture.edges))}</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 6}">{escape(picture.title)}</text>',
        f'<text class="small" x="{_MARGIN}" y="{_MARGIN + 24}">{escape(picture.summary)}</text>',
        *_trunks(rows, boxes),
        *(part for row, box in zip(rows, boxes, strict=True) for part in (*_branch(row, box, boxes), _drawn(row, box))),
        *_legend(height - 60),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the drawing: an instance, or (`again`) the mention of one that stands further up."""

    node: Node
    edge: Edge | None
    caller: int | None  # the row of the caller
    depth: int
    again: bool


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    width: float
    top: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def middle(self) -> float:
        return self.top + _HEIGHT / 2


def _rows(picture: Picture) -> list[_Row]:
    """Each caller, below it what it calls in the order of execution; the first caller of an instance holds it."""
    nodes = {node.key: node for node in picture.nodes}
    calls: dict[str, list[Edge]] = {}
    first: dict[str, Edge] = {}
    for edge in picture.edges:
        calls.setdefault(edge.caller, []).append(edge)
        first.setdefault(edge.callee, edge)
    rows: list[_Row] = []
    waiting = [_Row(node, None, None, 0, False) for node in reversed(picture.nodes) if node.key not in first]
    while waiting:
        row = waiting.pop()
        rows.append(row)
        if not row.again:
            inner = [
                _Row(nodes[edge.callee], edge, len(rows) - 1, row.depth + 1, edge is not first[edge.callee])
                for edge in calls.get(row.node.key, ())
            ]
            waiting += reversed(inner)
    return rows


def _text(text: str, size: float) -> float:
    """About the width of a text in pixels."""
    return len(text) * size * 0.62


def _columns(rows: list[_Row]) -> dict[int, tuple[float, float]]:
    """Left edge and width of the boxes at each depth; the gap before them has room for the numbers."""
    widths: dict[int, float] = {}
    gaps: dict[int, float] = {}
    for row in rows:
        text = max(_text(row.node.title, 12), _text(row.node.subtitle, 10))
        widths[row.depth] = max(widths.get(row.depth, _LEAST), text + 18)
        if row.edge is not None:
            gaps[row.depth] = max(gaps.get(row.depth, 0.0), _text(row.edge.label, 10) + 46)
    columns = {}
    x = float(_MARGIN)
    for depth in sorted(widths):
        x += gaps.get(depth, 0.0)
        columns[depth] = (x, widths[depth])
        x += widths[depth]
    return columns


def _drawn(row: _Row, box: _Box) -> str:
    node = row.node
    if row.again:
        return (
            f'<text x="{box.left + 6:.1f}" y="{box.middle + 4:.1f}" font-size="12" fill="{node.outline}">'
            f"{escape(node.title.partition(' ×')[0])}</text>"
        )
    dash = ' stroke-dasharray="4 3"' if node.standing is Standing.INSIDE else ""
    weight = ' font-weight="bold"' if node.standing is Standing.REUSED else ""
    return (
        f'<g><rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{_HEIGHT}" rx="5" '
        f'fill="{node.fill}" stroke="{node.outline}" stroke-width="{_THICKNESS[node.standing]}"{dash}/>'
        f'<text x="{box.left + 8:.1f}" y="{box.top + 14:.1f}" font-size="12"{weight}>{escape(node.title)}</text>'
        f'<text class="small" x="{box.left + 8:.1f}" y="{box.top + 28:.1f}">{escape(node.subtitle)}</text></g>'
    )


def _trunks(rows: list[_Row], boxes: list[_Box]) -> list[str]:
    """From each caller to the right and down to the last that it calls."""
    last = {row.caller: box for row, box in zip(rows, boxes, strict=True) if row.caller is not None}
    return [
        f'<path d="M{boxes[caller].right:.1f},{boxes[caller].middle:.1f} h10 q6,0 6,6 V{box.middle - 6:.1f}" '
        f'fill="none" stroke="{PLAIN}"/>'
        for caller, box in last.items()
    ]


def _branch(row: _Row, box: _Box, boxes: list[_Box]) -> list[str]:
    """From the caller's trunk to the right into the callee, with the numbers of the uses above."""
    if row.edge is None or row.caller is None:
        return []
    x, thickness = boxes[row.caller].right + 16, 2 if row.edge.reused else 1
    colour = row.edge.outline if row.edge.reused else "#555555"
    return [
        f'<path d="M{x:.1f},{box.middle - 6:.1f} q0,6 6,6 H{box.left - 1:.1f}" fill="none" stroke="{row.edge.outline}" '
        f'stroke-width="{thickness}" marker-end="url(#to{row.edge.outline[1:]})"/>',
        f'<text class="number" x="{box.left - 9:.1f}" y="{box.middle - 4:.1f}" text-anchor="end" fill="{colour}">'
        f"{row.edge.label}</text>",
    ]


def _arrow(colour: str) -> str:
    return (
        f'<marker id="to{colour[1:]}" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="7" markerHeight="7" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="{colour}"/></marker>'
    )


def _legend(y: float) -> list[str]:
    """What the fill says, what the outline says, what the signs mean."""
    parts = []
    x = float(_MARGIN)
    for kind in StateClass:
        parts.append(f'<rect x="{x:.0f}" y="{y - 9}" width="12" height="12" fill="{COLOURS[kind]}" stroke="{PLAIN}"/>')
        parts.append(f'<text class="small" x="{x + 16:.0f}" y="{y + 1}">{kind.value}</text>')
        x += 34 + _text(kind.value, 10)
    x = float(_MARGIN)
    for verdict, colour in OUTLINES.items():
        parts.append(f'<path d="M{x:.0f},{y + 17} h14" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text class="small" x="{x + 18:.0f}" y="{y + 21}">reused: {verdict.value}</text>')
        x += 36 + _text(f"reused: {verdict.value}", 10)
    return [*parts, f'<text class="small" x="{_MARGIN}" y="{y + 41}">{escape(_SIGNS)}</text>']
