"""Models that no analysis can run to the end: bounded time, no fault, and what is plain is still said."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from fuzzing import codes, lint_files

_HEAD = "import copy, functools, itertools, math\nimport torch\nfrom torch import nn\n\n\n"
_TWICE = "x = self.bn(x)\nx = self.bn(x)\n"


def net(init: str = "pass", forward: str = "pass", module: str = "") -> str:
    """A model with these statements in the module, in its constructor and in its forward."""
    return f"""{_HEAD}{module}

class Net(nn.Module):
    def __init__(self, n, flag):
        super().__init__()
        self.bn = nn.BatchNorm1d(8)
        self.fc = nn.Linear(8, 8)
{textwrap.indent(init.strip(), " " * 8)}

    def forward(self, x, k):
{textwrap.indent(forward.strip(), " " * 8)}
        return x
"""


def endless_models() -> dict[str, str]:
    """The sources of endless_models.txt by their titles."""
    text = Path(__file__).with_name("endless_models.txt").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        pieces = re.split(r"^--- (\w+)\n", body, flags=re.MULTILINE)[1:]
        parts = dict(zip(pieces[::2], pieces[1::2], strict=True))
        found[title] = _HEAD + parts["file"] if "file" in parts else net(**parts)
    return found


ENDLESS = endless_models()


@pytest.mark.parametrize("title", ENDLESS)
def test_a_model_without_an_end(title: str) -> None:
    assert "ML901" not in codes(ENDLESS[title])


def in_a_row(text: str, count: int) -> str:
    """The text `count` times, with the number for $."""
    return "".join(text.replace("$", str(i)) for i in range(count))


def inside_each_other(opening: str, inside: str, count: int) -> str:
    """`opening` in itself `count` times, each a step deeper."""
    return "".join(" " * i + opening.replace("$", str(i)) for i in range(count)) + " " * count + inside


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        pytest.param("pass", "for i in range(10**9):\n    x = self.bn(x)", id="a thousand million iterations"),
        pytest.param(
            "pass", inside_each_other("for i$ in k:\n", "x = self.bn(x)", 6), id="nested loops of unknown length"
        ),
        pytest.param(
            "pass", "while True:\n    x = self.bn(x)\n    if x.sum() > k:\n        return x", id="an endless loop"
        ),
        pytest.param("pass", "i = 0\nwhile i < 10**9:\n    x = self.bn(x)\n    i += 1", id="a while of 10**9 rounds"),
        pytest.param("pass", in_a_row("if x[$]:\n    x = self.bn(x)\n", 60), id="sixty branches in a row"),
        pytest.param(
            "pass",
            inside_each_other("if x[$]:\n", "x = self.bn(x)\n", 40) + "x = self.bn(x)",
            id="forty branches inside each other",
        ),
        pytest.param(
            "pass", "y = 0\n" + in_a_row("if x[$]:\n    y = y * 2 + $\n", 40) + _TWICE, id="a number with 2**40 values"
        ),
        pytest.param(
            in_a_row("m$ = self.fc if flag[$] else nn.Linear(8, 8)\n", 40), _TWICE, id="forty choices of a layer"
        ),
        pytest.param(
            "self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(400)])",
            "for m in self.layers:\n    x = m(x)\n" + _TWICE,
            id="four hundred layers in a list",
        ),
        pytest.param(
            in_a_row("self.l$ = nn.Linear(8, 8)\n", 600),
            in_a_row("x = self.l$(x)\n", 600) + _TWICE,
            id="six hundred attributes",
        ),
        pytest.param(
            "f = lambda x: x\n" + "f = functools.partial(f)\n" * 100 + "self.f = f",
            "x = self.f(x)\n" + _TWICE,
            id="a hundred partials",
        ),
        pytest.param(
            "pass",
            "match k:\n" + in_a_row("    case {'a$': [_, *y]}:\n        x = self.fc(x)\n", 60) + _TWICE,
            id="sixty cases",
        ),
        pytest.param(
            "pass",
            inside_each_other("with k[$] as y:\n", "x = self.fc(x)\n", 18) + _TWICE,
            id="eighteen withs inside each other",
        ),
    ],
)
def test_what_is_plain_is_said_all_the_same(init: str, forward: str) -> None:
    assert "ML101" in codes(net(init, forward))


def test_modules_that_run_the_next_one_twice() -> None:
    """2**40 executions of one norm."""
    levels = in_a_row(
        textwrap.dedent("""
            class M$(nn.Module):
                def __init__(self, inner):
                    super().__init__()
                    self.inner = inner

                def forward(self, x):
                    return self.inner(self.inner(x))
            """),
        40,
    )
    tower = "m = nn.BatchNorm1d(8)\n" + in_a_row("m = M$(m)\n", 40) + "self.m = m"
    assert codes(net(tower, "x = self.m(x)", levels)) <= {"ML101", "ML102"}


def test_functions_that_call_the_next_one_twice() -> None:
    """2**40 calls in a row."""
    chain = "".join(f"def f{i}(m, x):\n    return f{i - 1}(m, f{i - 1}(m, x))\n\n" for i in range(1, 41))
    assert codes(net("pass", "x = f40(self.bn, x)", "def f0(m, x):\n    return m(x)\n\n" + chain)) <= {"ML101"}


def test_three_hundred_generations_of_a_class() -> None:
    chain = "class C0(nn.Module):\n    pass\n\n" + "".join(f"class C{i + 1}(C{i}):\n    pass\n\n" for i in range(300))
    source = net("pass", _TWICE, chain).replace("class Net(nn.Module)", "class Net(C300)")
    assert codes(source) == {"ML101"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a.py": "from b import *\n", "b.py": "from a import *\n"}, id="two star imports in a circle"),
        pytest.param({"a.py": "from a import a\nimport a as a\nfrom a import *\n"}, id="a file that imports itself"),
        pytest.param(
            {
                "p/__init__.py": "from . import *\nfrom .q import q\nfrom ..... import q\n",
                "p/q.py": "from . import q\n",
            },
            id="relative imports beyond the top",
        ),
        pytest.param(
            {"torch/__init__.py": "from torch import nn\n", "torch/nn.py": "from torch.nn import *\n"},
            id="a tree that is called torch",
        ),
        pytest.param(
            {f"m{i}.py": f"from m{(i + 1) % 50} import name\n" for i in range(50)},
            id="a name that fifty files import from each other",
        ),
        pytest.param(
            {"nn.py": "class Module: pass\n", "typing.py": "from nn import *\n", "builtins.py": "super = range = 0\n"},
            id="files that bear the names of libraries",
        ),
    ],
)
def test_imports_that_lead_nowhere(files: dict[str, str]) -> None:
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files]
    imports = "".join(f"from {module} import *\n" for module in modules)
    found = lint_files({**files, "net.py": net("pass", _TWICE, imports)})
    assert {finding.code for finding in found} <= {"ML101"}
