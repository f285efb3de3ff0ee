"""Directives in comments: forms, the rows that they speak for, and what is no directive."""

from __future__ import annotations

import pytest

from modlint.syntax.suppressions import Action, Directive, directives, might_have_directives


def only(source: str) -> Directive:
    (found,) = directives(source.encode())
    return found


@pytest.mark.parametrize(
    ("comment", "action", "codes"),
    [
        pytest.param("# modlint: ignore[ML101] -- why", Action.IGNORE, ("ML101",), id="one code with a reason"),
        pytest.param("# modlint: ignore[ML101, ML102]", Action.IGNORE, ("ML101", "ML102"), id="two codes"),
        pytest.param("#modlint:ignore", Action.IGNORE, (), id="every rule, without spaces"),
        pytest.param("# modlint: ignore-file[ML2] -- old", Action.IGNORE_FILE, ("ML2",), id="a file"),
        pytest.param("# modlint: shared -- tied on purpose", Action.SHARED, (), id="the intent mark"),
        pytest.param("# modlint: shred", Action.UNKNOWN, (), id="a word that does not exist"),
        pytest.param("# modlint: shared[ML201]", Action.UNKNOWN, ("ML201",), id="the intent mark takes no codes"),
        pytest.param("# noqa: ML101", Action.IGNORE, ("ML101",), id="noqa"),
        pytest.param("# NOQA:E501,ml101", Action.IGNORE, ("ML101",), id="noqa beside another linter's code"),
        pytest.param("# type: ignore  # modlint: ignore[ML101]", Action.IGNORE, ("ML101",), id="after another comment"),
    ],
)
def test_forms(comment: str, action: Action, codes: tuple[str, ...]) -> None:
    found = only(f"x = 1  {comment}\n")
    assert (found.action, found.codes, found.rows) == (action, codes, (1, 1))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x = 1  # noqa\n", id="a bare noqa is meant for the linters that claim it"),
        pytest.param("x = 1  # noqa: E501\n", id="another linter's code"),
        pytest.param("x = '# modlint: ignore'\n", id="a string"),
        pytest.param('"""\n# modlint: ignore[ML101]\n"""\n', id="a docstring"),
        pytest.param("x = 1  # modlint is nice\n", id="prose"),
        pytest.param("", id="an empty file"),
    ],
)
def test_what_is_no_directive(source: str) -> None:
    assert directives(source.encode()) == ()


def test_a_comment_that_stands_alone_speaks_for_the_next_line_of_code() -> None:
    found = only("def f():\n    # modlint: ignore[ML101]\n\n    # more\n    return g(\n        1)\n")
    assert found.rows == (2, 5)
    assert found.speaks_for(5, 6) and not found.speaks_for(6, 6)


@pytest.mark.parametrize(
    ("after", "rows"),
    [
        pytest.param("x = a + \\\n    b + \\\n    c\nd\n", (1, 4), id="backslashes"),
        pytest.param('x = """\n\n""" + b\nd\n', (1, 4), id="a string of several lines"),
        pytest.param('x = f"""{\na\n}"""\nd\n', (1, 4), id="an f-string of several lines"),
        pytest.param("x = f(\n    b)\nd\n", (1, 2), id="a bracket, in which comments can stand"),
    ],
)
def test_a_comment_that_stands_alone_speaks_for_what_is_joined_to_the_next_line(
    after: str, rows: tuple[int, int]
) -> None:
    assert only(f"# modlint: ignore[ML101]\n{after}").rows == rows


def test_a_comment_that_stands_alone_inside_of_a_call_speaks_for_the_next_line_of_code() -> None:
    found = only("x = f(\n    a,\n    # modlint: ignore[ML101]\n    # more\n    b,\n    c,\n)\n")
    assert found.rows == (3, 5)


def test_two_directives_in_one_comment() -> None:
    found = directives(b"x = 1  # modlint: shared -- a  # noqa: ML101\n")
    assert [d.action for d in found] == [Action.SHARED, Action.IGNORE]


def test_a_comment_inside_a_call_speaks_for_its_own_row_and_findings_that_span_it() -> None:
    found = only("x = f(\n    a,  # modlint: ignore[ML101]\n    b,\n)\n")
    assert found.rows == (2, 2)
    assert found.covers("ML101", 1, 4) and not found.covers("ML101", 3, 4) and not found.covers("ML102", 1, 4)


def test_columns_count_code_points_from_one_in_the_encoding_of_the_file() -> None:
    source = "# coding: latin-1\nÄ = 'é'  # modlint: ignore\n"
    (found,) = directives(source.encode("latin-1"))
    assert (found.row, found.column, found.end_column) == (2, 10, 27)
    (found,) = directives("\ufeffx = '😀'  # noqa: ML101\r\n".encode())
    assert (found.row, found.column) == (1, 10)


def test_what_stands_before_a_fault_of_syntax_still_counts() -> None:
    assert only("x = 1  # modlint: ignore\ny = (\n").action is Action.IGNORE
    assert directives(b"\xff # modlint: ignore\n") == ()


def test_the_quick_look_says_no_only_where_there_is_nothing() -> None:
    assert not might_have_directives(b"x = 1  # noqa: E501\n")
