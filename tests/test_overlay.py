"""What versions of a dict agree on is what a loop over their keys finds, in the same order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modlint.interpreter.overlay import overlaid
from modlint.interpreter.values import MISSING

VALUES = [object(), object(), None, MISSING, 1, True]
ENTRIES = st.dictionaries(st.sampled_from([0, 1, "a", "b", "c", None]), st.sampled_from(VALUES), max_size=6)
VERSIONS = st.lists(ENTRIES, min_size=1, max_size=4)
GROWN = st.tuples(ENTRIES, VERSIONS).map(lambda drawn: [{**drawn[0], **more} for more in ({}, *drawn[1])])


@given(VERSIONS | GROWN)
def test_versions_that_differ_in_an_entry_are_told_from_those_that_agree(versions: list[dict[object, object]]) -> None:
    whole, differing = overlaid(versions)
    keys = list({key: None for version in versions for key in version})
    values = {key: [version.get(key, MISSING) for version in versions] for key in keys}
    assert list(whole) == keys
    known = {key: of for key, of in values.items() if any(value is not MISSING for value in of)}
    found = [key for key in differing if key in known]  # nobody can tell that a key is not there from MISSING
    assert found == [key for key, of in known.items() if any(value is not of[0] for value in of)]
    assert all(whole[key] is values[key][0] for key in keys if key not in differing)
    assert all(version is not whole for version in versions)
