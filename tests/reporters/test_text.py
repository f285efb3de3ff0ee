"""The formats that people and editors read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from modlint.reporters import reporter

if TYPE_CHECKING:
    from modlint.findings import Report

FULL = """\
ML101 error: BatchNorm2d 'self.bn' runs 2 times per forward (first at line 21): mixes, 100%: a, b
  --> src/my net.py:23:22
   |
12 |         self.bn = nn.BatchNorm2d(8)
   |                   ----------------- created here
...
21 |         x = self.bn(x)  # first
   |             ---------- use 1, in Net.forward
...
23 |         名 = "😀"; x = self.bn(x)
   |                        ^^^^^^^^^^ use 2, in Net.forward
   |
   = evidence: confirmed
   = buffers: differs by 0.25 (noise 0)
   = cpu, 3 steps
   = help: modlint rule ML101
"""

ONE_LINE = """\
ML102 warning: Head 'self.head' runs 2 times per forward
 --> src/pair.py:9:30
  |
9 |         return self.head(a), self.head(b)
  |                ------------ use 1, in Pair.forward
  |                              ^^^^^^^^^^^^ use 2, in Pair.forward
 ::: src/heads.py:3:21
  |
3 |         self.head = Head(8)
  |                     ------- created here
  |
  = help: modlint rule ML102
"""


def test_full_shows_creation_and_uses_with_marks_under_wide_characters_and_tabs(report: Report) -> None:
    blocks = reporter("full")(report).split("\n\n")
    assert blocks[0] + "\n" == FULL
    assert blocks[1] + "\n" == ONE_LINE
    assert blocks[-1] == "Found 4 findings (2 errors, 1 warning, 1 note).\n"


def test_full_says_when_nothing_was_found(clean: Report) -> None:
    assert reporter("full")(clean) == "All checks passed!\n"


def test_full_without_its_colours_is_the_plain_text(report: Report) -> None:
    import re

    painted = reporter("full")(replace(report, color=True))
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == reporter("full")(report)


def test_full_leaves_out_uses_beyond_the_eighth_step_but_never_the_place_itself(report: Report) -> None:
    many = report.findings[0]
    uses = tuple(replace(use, location=use.location._replace(row=100 + n)) for n in range(12) for use in many.uses[:1])
    finding = replace(many, uses=(*uses, many.uses[1]))
    text = reporter("full")(replace(report, findings=(finding,)))
    assert "6 more uses" in text and "^^^^^^^^^^ use 13" in text


def test_concise_is_one_gnu_line_a_finding(report: Report) -> None:
    lines = reporter("concise")(replace(report, findings=report.findings[:2])).splitlines()
    assert lines == [
        "src/my net.py:23:22: error: ML101 BatchNorm2d 'self.bn' runs 2 times per forward (first at line 21): "
        "mixes, 100%: a, b",
        "src/pair.py:9:30: warning: ML102 Head 'self.head' runs 2 times per forward",
    ]


def test_github_escapes_what_would_end_a_property_or_a_line(report: Report) -> None:
    lines = reporter("github")(report).split("\n")
    assert lines[0].startswith(
        "::error title=modlint (ML101),file=src/my net.py,line=23,col=22,endLine=23,endColumn=32::src/my net.py:23:22: "
    )
    assert "100%25: a, b" in lines[0]
    assert "line 1%0Aline 2" in lines[2]
    assert lines[3].startswith("::notice title=modlint (ML001),file=walk.ipynb::")


def test_json_has_the_keys_of_the_contract(report: Report) -> None:
    entries = json.loads(reporter("json")(report))
    assert list(entries[0]) == [
        *("code", "name", "family", "severity", "message", "url", "filename", "location", "end_location", "model"),
        *("module", "children", "created", "uses", "evidence", "fix", "fingerprint"),
    ]
    assert entries[0]["uses"][1] == {"filename": "src/my net.py", "row": 23, "column": 22, "in": "Net.forward"}
    assert entries[0]["evidence"] == {
        "level": "confirmed",
        "observables": {"buffers": {"difference": 0.25, "noise": 0.0}},
        "note": "cpu, 3 steps",
    }
    assert entries[1]["children"] == [
        {"type": "torch.nn.BatchNorm2d", "path": "head.bn", "state": "stateful", "writes": ["running_mean"]}
    ]
    assert entries[3]["filename"] == "walk.ipynb" and entries[3]["cell"] == 3
