"""Picture -> Graphviz source, or an SVG that needs nothing installed: callers left, callees right, first use on top."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from modlint.graph import StateClass
from modlint.trace.picture import COLOURS, OUTLINES

if TYPE_CHECKING:
    from modlint.trace.picture import Edge, Node, Picture

_ROW, _HEIGHT, _GAP, _MARGIN, _CHARACTER = 46, 34, 90, 24, 7.2
_LEAST = 90  # width of a column's boxes


def dot(picture: Picture) -> str:
    """Graphviz source: `dot -Tsvg` draws it."""
    lines = [
        f"digraph {json.dumps(picture.title, ensure_ascii=False)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=9];',
    ]
    for node in picture.nodes:
        label = _quoted(f"{node.title}\n{node.subtitle}")
        width = 2.5 if node.reused else 1
        lines.append(
            f'  {_quoted(node.key)} [label={label}, fillcolor="{node.fill}", color="{node.outline}", penwidth={width}];'
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
    """A standalone drawing with a legend."""
    columns = _columns(picture)
    top = _MARGIN + 30.0
    at = {node.key: (columns[node.depth][0], top + row * _ROW) for row, node in enumerate(picture.nodes)}
    width = max(sum(columns[max(columns)]) + _MARGIN if columns else 0.0, 620.0)
    height = top + len(picture.nodes) * _ROW + 40
    title = f'<text x="{_MARGIN}" y="{_MARGIN + 6}" font-size="15" font-weight="bold">{escape(picture.title)}</text>'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        title,
        *(_edge(edge, at, columns, picture) for edge in picture.edges),
        *(_node(node, at[node.key], columns[node.depth][1]) for node in picture.nodes),
        *_legend(height - 18),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _columns(picture: Picture) -> dict[int, tuple[float, float]]:
    """Left edge and width of the boxes at each depth."""
    widths: dict[int, float] = {}
    for node in picture.nodes:
        text = max(len(node.title), len(node.subtitle))
        widths[node.depth] = max(widths.get(node.depth, _LEAST), text * _CHARACTER + 16)
    columns = {}
    x = float(_MARGIN)
    for depth in sorted(widths):
        columns[depth] = (x, widths[depth])
        x += widths[depth] + _GAP
    return columns


def _node(node: Node, at: tuple[float, float], width: float) -> str:
    x, y = at
    stroke = 2.6 if node.reused else 1
    weight = "bold" if node.reused else "normal"
    return (
        f'<g><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_HEIGHT}" rx="5" fill="{node.fill}" '
        f'stroke="{node.outline}" stroke-width="{stroke}"/>'
        f'<text x="{x + 8:.1f}" y="{y + 14:.1f}" font-size="12" font-weight="{weight}">{escape(node.title)}</text>'
        f'<text x="{x + 8:.1f}" y="{y + 28:.1f}" font-size="10" fill="#555555">{escape(node.subtitle)}</text></g>'
    )


def _edge(
    edge: Edge, at: dict[str, tuple[float, float]], columns: dict[int, tuple[float, float]], picture: Picture
) -> str:
    """A curve from the caller's right side to the callee's left side; back to an earlier column it goes round."""
    depth = {node.key: node.depth for node in picture.nodes}
    x1, y1 = at[edge.caller][0] + columns[depth[edge.caller]][1], at[edge.caller][1] + _HEIGHT / 2
    x2, y2 = at[edge.callee][0], at[edge.callee][1] + _HEIGHT / 2
    bend = _GAP * 0.6
    stroke = 2 if edge.reused else 1
    return (
        f'<path d="M{x1:.1f},{y1:.1f} C{x1 + bend:.1f},{y1:.1f} {x2 - bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f}" '
        f'fill="none" stroke="{edge.outline}" stroke-width="{stroke}" opacity="0.8"/>'
        f'<text x="{x2 - 4:.1f}" y="{y2 - 4 - (8 if y1 > y2 else 0):.1f}" font-size="9" text-anchor="end" '
        f'fill="{edge.outline}">{escape(edge.label)}</text>'
    )


def _legend(y: float) -> list[str]:
    parts = []
    x = float(_MARGIN)
    for kind in StateClass:
        parts.append(f'<rect x="{x:.0f}" y="{y - 9}" width="12" height="12" fill="{COLOURS[kind]}" stroke="#9aa0a6"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y + 1}" font-size="10">{kind.value}</text>')
        x += 24 + len(kind.value) * 6
    x += 12
    for verdict, colour in OUTLINES.items():
        parts.append(
            f'<line x1="{x:.0f}" y1="{y - 3}" x2="{x + 14:.0f}" y2="{y - 3}" stroke="{colour}" stroke-width="3"/>'
        )
        parts.append(f'<text x="{x + 18:.0f}" y="{y + 1}" font-size="10">{verdict.value}</text>')
        x += 26 + len(verdict.value) * 6
    return parts
