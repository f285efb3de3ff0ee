"""Verdicts on graphs built by hand: every rule with its silent twin, and the levels at which reuse is judged.

A case builds a graph; what is expected are the codes of all judgements by instance, "" where the verdict is unknown.
"""

from __future__ import annotations

import pytest
from handmade import (
    DROPOUT,
    LINEAR,
    MASKED,
    MAYBE_LINEAR,
    MAYBE_NORM,
    NORM,
    OBSERVER,
    PLAIN_NORM,
    RELU,
    UNKNOWN,
    Hand,
    at,
    slot,
    when,
)

from modlint import ruleset
from modlint.graph import Origin, State, StateClass
from modlint.verdicts import Judgement, Verdict, judge, verdict_of


def judged(hand: Hand) -> dict[str, str]:
    return {judgement.instance.key: judgement.code for judgement in judge(hand.graph)}


def only(hand: Hand) -> Judgement:
    (judgement,) = judge(hand.graph)
    return judgement


def verdicts(hand: Hand) -> dict[str, Verdict | None]:
    return {instance.key: verdict_of(hand.graph, instance) for instance in hand.graph.instances()}


def twice(state: State, **more: object) -> Hand:
    hand = Hand()
    hand.leaf("m", state, **more)
    hand.run("m")
    hand.run("m")
    return hand


@pytest.mark.parametrize(
    ("state", "code", "verdict"),
    [
        pytest.param(RELU, "ML001", Verdict.SAFE, id="a stateless leaf is safe"),
        pytest.param(DROPOUT, "ML002", Verdict.SAFE, id="a stochastic leaf is safe"),
        pytest.param(
            LINEAR, "ML003", Verdict.DELIBERATE, id="a parametric leaf called twice by one name is deliberate"
        ),
        pytest.param(NORM, "ML101", Verdict.CHANGES_SEMANTICS, id="a norm with running statistics is not safe"),
        pytest.param(MASKED, "ML101", Verdict.CHANGES_SEMANTICS, id="a dropout that keeps its mask is not safe"),
        pytest.param(UNKNOWN, "", Verdict.UNKNOWN, id="an unknown leaf is unknown"),
        pytest.param(MAYBE_NORM, "", Verdict.UNKNOWN, id="a leaf that keeps state only perhaps is unknown"),
    ],
)
def test_a_leaf_used_twice(state, code, verdict):
    judgement = only(twice(state))
    assert (judgement.code, judgement.verdict, judgement.count) == (code, verdict, 2)


@pytest.mark.parametrize("state", [RELU, DROPOUT, LINEAR, NORM, MASKED, UNKNOWN, MAYBE_NORM])
def test_a_leaf_used_once_is_no_matter(state):
    hand = Hand()
    hand.leaf("m", state)
    hand.run("m")
    assert judged(hand) == {}
    assert verdicts(hand)["m"] is None


def test_an_instance_that_never_runs_is_no_matter():
    hand = Hand()
    hand.leaf("m", NORM, slots=(slot("a"), slot("b")))
    hand.leaf("n", LINEAR, origin=Origin.MODULE_LEVEL)
    assert judged(hand) == {}


# Path conditions


def on_paths(*conditions: tuple[frozenset[int], ...] | None, state: State = NORM) -> Hand:
    hand = Hand()
    hand.leaf("m", state)
    for condition in conditions:
        hand.run("m", **({} if condition is None else {"condition": condition}))
    return hand


@pytest.mark.parametrize(
    ("hand", "expected"),
    [
        pytest.param(on_paths(when(1), when(-1)), {}, id="exclusive branches use a norm once"),
        pytest.param(on_paths(when(1), when(2)), {"m": "ML101"}, id="independent branches may both use it"),
        pytest.param(on_paths(when(1), when(-1, 2), when(-1, -2)), {}, id="a chain of three branches uses it once"),
        pytest.param(on_paths(when(1), when(-1), None), {"m": "ML101"}, id="a use after the branches is the second"),
        pytest.param(
            on_paths(when(1, 2), (*when(-1), *when(-2))), {}, id="an early return two conditions deep excludes"
        ),
        pytest.param(
            on_paths(when(1), when(1, 2), when(-1)), {"m": "ML101"}, id="an early return in a branch does not"
        ),
        pytest.param(on_paths((), None), {}, id="a use that no path reaches does not count"),
    ],
)
def test_path_conditions(hand, expected):
    assert judged(hand) == expected


def test_uses_in_train_mode_are_looked_for_on_their_own_path():
    hand = Hand()
    hand.leaf("m", NORM)
    for _ in range(3):
        hand.run("m", condition=when(1), frozen=True)
    for _ in range(2):
        hand.run("m", condition=when(-1))
    judgement = only(hand)
    assert (judgement.code, judgement.count) == ("ML101", 2)


# Frozen state


@pytest.mark.parametrize(
    ("state", "frozen", "expected"),
    [
        pytest.param(NORM, (True, True), "ML003", id="a frozen norm shares its affine weights alone"),
        pytest.param(PLAIN_NORM, (True, True), "ML001", id="a frozen norm without weights is safe"),
        pytest.param(MASKED, (True, True), "ML002", id="a frozen mask leaves the draws"),
        pytest.param(NORM, (True, False), "ML003", id="one use in train mode writes once"),
        pytest.param(OBSERVER, (True, True), "ML101", id="an observer writes in eval mode too"),
        pytest.param(UNKNOWN, (True, True), "", id="an unknown module may write in eval mode"),
        pytest.param(State(StateClass.STATEFUL), (True, True), "ML003", id="state without traits may have weights"),
        pytest.param(MAYBE_NORM, (True, True), "ML003", id="what perhaps keeps statistics does not write them frozen"),
    ],
)
def test_frozen_uses(state, frozen, expected):
    hand = Hand()
    hand.leaf("m", state)
    for value in frozen:
        hand.run("m", frozen=value)
    assert only(hand).code == expected


def test_a_reused_container_whose_norms_are_frozen_is_judged_by_its_weights():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    for _ in range(2):
        hand.run("block.bn", hand.run("block"), frozen=True)
    assert judged(hand) == {"block": "ML003"}


def test_an_unknown_child_in_eval_mode_may_still_write():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    hand.leaf("block.x", UNKNOWN)
    for _ in range(2):
        outer = hand.run("block")
        hand.run("block.bn", outer, frozen=True)
        hand.run("block.x", outer, frozen=True)
    assert judged(hand) == {"block": ""}


def test_a_container_in_eval_mode_whose_inside_was_not_seen_writes_nothing():
    hand = Hand()
    hand.box("block", NORM)
    for _ in range(2):
        hand.run("block", frozen=True)
    assert judged(hand) == {"block": "ML003"}


# Loops


def test_a_loop_of_unknown_length_is_reuse():
    hand = Hand()
    hand.leaf("m", NORM)
    hand.run("m", times=2, at_least=True, loop=1)
    judgement = only(hand)
    assert (judgement.code, judgement.count, judgement.at_least) == ("ML101", 2, True)


def test_what_runs_inside_a_repeated_use_is_reused_there_not_of_its_own():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    outer = hand.run("block", times=6)
    hand.run("block.bn", outer, times=6)
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code) == ("block", "ML102")
    assert [child.key for child in judgement.children] == ["block.bn"]


def test_a_loop_inside_a_repeated_use_is_reuse_of_both():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    hand.run("block.bn", hand.run("block", times=2), times=6)
    assert judged(hand) == {"block": "ML102", "block.bn": "ML101"}


# Containers


def shared_head(*children: tuple[str, State], own: State = RELU, runs: int = 2, state: State = NORM) -> Hand:
    """A container that runs each of its children once in every one of its own runs."""
    hand = Hand()
    hand.box("head", state, own)
    for name, child in children:
        hand.leaf(f"head.{name}", child)
    for _ in range(runs):
        order = hand.run("head")
        for name, _state in children:
            hand.run(f"head.{name}", order)
    return hand


@pytest.mark.parametrize(
    ("hand", "expected"),
    [
        pytest.param(shared_head(("bn", NORM)), {"head": "ML102"}, id="a shared head with a norm"),
        pytest.param(shared_head(("bn", NORM), runs=1), {}, id="a head used once"),
        pytest.param(shared_head(("ln", LINEAR), state=LINEAR), {"head": "ML003"}, id="a shared head without state"),
        pytest.param(shared_head(("act", RELU), state=RELU), {"head": "ML001"}, id="a shared box of activations"),
        pytest.param(
            shared_head(("bn", NORM), ("x", UNKNOWN)), {"head": "ML102"}, id="an unknown sibling silences nothing"
        ),
        pytest.param(
            shared_head(("fc", LINEAR), ("x", UNKNOWN), state=UNKNOWN), {"head": ""}, id="an unknown child never warns"
        ),
        pytest.param(
            shared_head(("fc", LINEAR), ("bn", MAYBE_NORM), state=MAYBE_NORM),
            {"head": ""},
            id="nor does an uncertain one",
        ),
        pytest.param(shared_head(own=RELU), {"head": ""}, id="a stateful box whose inside was not seen is unknown"),
        pytest.param(shared_head(("bn", NORM), own=MASKED), {"head": "ML101"}, id="a box with state of its own"),
        pytest.param(
            shared_head(("fc", LINEAR), own=MASKED), {"head": "ML101"}, id="a box with state of its own alone"
        ),
    ],
)
def test_containers(hand, expected):
    assert judged(hand) == expected


def test_every_stateful_child_is_named():
    hand = shared_head(("a", NORM), ("fc", LINEAR), ("b", OBSERVER), ("x", UNKNOWN))
    assert [child.key for child in only(hand).children] == ["head.a", "head.b"]


def test_children_are_named_beside_state_of_the_container_itself():
    judgement = only(shared_head(("bn", NORM), own=MASKED))
    assert (judgement.code, [child.key for child in judgement.children]) == ("ML101", ["head.bn"])


def test_the_outermost_reused_container_is_the_finding():
    hand = Hand()
    hand.box("a", NORM)
    hand.box("a.b", NORM)
    hand.leaf("a.b.bn", NORM)
    for _ in range(2):
        hand.run("a.b.bn", hand.run("a.b", hand.run("a")))
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code, [c.key for c in judgement.children]) == ("a", "ML102", ["a.b.bn"])


def test_a_container_repeated_inside_one_that_repeats_is_reused_at_both_levels():
    hand = Hand()
    hand.box("a", NORM)
    hand.box("a.b", NORM)
    hand.leaf("a.b.bn", NORM)
    for _ in range(2):
        outer = hand.run("a")
        for _ in range(2):
            hand.run("a.b.bn", hand.run("a.b", outer))
    assert judged(hand) == {"a": "ML102", "a.b": "ML102"}


def test_a_leaf_repeated_inside_a_container_that_repeats_is_a_finding_beside_the_container():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    for _ in range(2):
        outer = hand.run("block")
        hand.run("block.bn", outer)
        hand.run("block.bn", outer)
    assert judged(hand) == {"block": "ML102", "block.bn": "ML101"}


def test_norms_of_which_each_runs_once_make_no_finding_of_the_container():
    hand = Hand()
    hand.box("cell", NORM)
    hand.leaf("cell.fc", LINEAR)
    for step in range(3):
        hand.leaf(f"cell.bns.{step}", NORM)
    for step in range(3):
        outer = hand.run("cell", loop=1)
        hand.run("cell.fc", outer)
        hand.run(f"cell.bns.{step}", outer)
    assert judged(hand) == {"cell": "ML003"}


def test_a_norm_that_only_one_of_two_calls_reaches_is_no_finding():
    hand = Hand()
    hand.box("head", NORM)
    hand.leaf("head.bn", NORM)
    hand.run("head.bn", hand.run("head"))
    hand.run("head")
    assert judged(hand) == {"head": "ML003"}


def test_a_norm_in_exclusive_branches_of_two_calls_is_no_finding():
    hand = Hand()
    hand.box("head", NORM)
    hand.leaf("head.bn", NORM)
    hand.run("head.bn", hand.run("head"), condition=when(1))
    hand.run("head.bn", hand.run("head"), condition=when(-1))
    assert judged(hand) == {"head": "ML003"}


def test_one_instance_in_two_different_blocks_is_reused_of_its_own():
    hand = Hand()
    for name in ("one", "two"):
        hand.box(name, NORM)
    hand.leaf("bn", NORM, slots=(slot("one.bn", 5), slot("two.bn", 6)))
    hand.run("bn", hand.run("one"), slot="one.bn")
    hand.run("bn", hand.run("two"), slot="two.bn")
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code) == ("bn", "ML101")


def test_a_path_through_another_module_does_not_move_the_reuse_inward():
    hand = Hand()
    hand.box("head", NORM)
    hand.box("head.wrapper", NORM)
    hand.leaf("bn", NORM, slots=(slot("head.bn"), slot("head.wrapper.bn")))
    hand.run("bn", hand.run("head"))
    hand.run("bn", hand.run("head.wrapper", hand.run("head")))
    assert judged(hand) == {"head": "ML102"}


def test_a_model_that_calls_itself_is_reused_as_a_whole():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn")
    hand.run("bn", hand.run("net"))
    assert judged(hand) == {"net": "ML102"}


# Parameters


def in_slots(*slots: object, state: State = LINEAR, used: tuple[str | None, ...] = (), **more: object) -> Hand:
    hand = Hand()
    hand.leaf("m", state, slots=slots, **more)
    for path in used:
        hand.run("m", slot=path)
    return hand


@pytest.mark.parametrize(
    ("hand", "expected"),
    [
        pytest.param(
            in_slots(slot("l.0", 5), slot("l.1", 5, repeated=True), used=("l.0", "l.1")), "ML201", id="a repeated layer"
        ),
        pytest.param(
            in_slots(slot("l.0", 5), slot("l.1", 5, repeated=True), used=("l.0", "l.1"), shared="marked"),
            "ML003",
            id="a repeated layer that is meant to be one",
        ),
        pytest.param(
            in_slots(slot("l.0", 5), slot("l.1", 5, repeated=True), used=("l.0", "l.1"), state=RELU),
            "ML001",
            id="a repeated activation",
        ),
        pytest.param(
            in_slots(slot("l.0", 5), slot("l.1", 5, repeated=True), used=("l.0", "l.1"), state=NORM),
            "ML101",
            id="a repeated norm is more than a tie",
        ),
        pytest.param(
            in_slots(slot("l.0", 5), slot("l.1", 5, repeated=True), used=("l.0", "l.1"), state=MAYBE_LINEAR),
            "",
            id="a repeated layer that has parameters only perhaps",
        ),
        pytest.param(
            in_slots(slot("a", 5), slot("b", 6), used=("a", "b")), "ML202", id="a layer in two slots, used by both"
        ),
        pytest.param(
            in_slots(slot("a", 5), slot("b", 6), used=("a", "a")), "ML003", id="a layer in two slots, used by one"
        ),
        pytest.param(
            in_slots(slot("a", 5), slot("b", 6), used=("a", None)),
            "ML202",
            id="a use through a local stands for the other slot",
        ),
        pytest.param(
            in_slots(slot("body.1", 5), slot("body.3", 6), used=("body", "body")),
            "ML202",
            id="items of a container that holds it twice",
        ),
        pytest.param(
            in_slots(slot("layers.0", 5), slot("first", 6), used=("layers", "layers")),
            "ML003",
            id="items of a container that holds it once",
        ),
        pytest.param(in_slots(slot("a", 5), slot("b", 6), used=(None, None)), "ML202", id="slots that no use names"),
        pytest.param(
            in_slots(slot("a", 5), slot("b", 6), used=("a", "b"), shared="tied"), "ML003", id="a layer tied on purpose"
        ),
        pytest.param(in_slots(slot("a", 5), used=("a", "a")), "ML003", id="a layer in one slot, called twice"),
        pytest.param(
            in_slots(slot("l.0", 5, repeated=True), used=("l.0", "l.0")), "ML003", id="a list of one, repeated"
        ),
    ],
)
def test_slots(hand, expected):
    assert only(hand).code == expected


def test_an_intent_mark_does_not_speak_for_state():
    assert only(twice(NORM, shared="marked")).code == "ML101"


def test_layers_inside_a_repeated_block_are_not_reported_beside_it():
    hand = Hand()
    hand.box("block", LINEAR, slots=(slot("l.0", 5), slot("l.1", 5, repeated=True), slot("l.2", 5, repeated=True)))
    hand.leaf("fc", LINEAR, slots=tuple(slot(f"l.{i}.fc", 3) for i in range(3)))
    for i in range(3):
        hand.run("fc", hand.run("block", slot=f"l.{i}"), slot=f"l.{i}.fc")
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code, judgement.primary) == ("block", "ML201", at(5))


def test_slots_that_come_from_the_holder_do_not_tie_what_a_loop_inside_shares():
    hand = Hand()
    hand.box("block", LINEAR, slots=(slot("a", 5), slot("b", 6)))
    hand.leaf("fc", LINEAR, slots=(slot("a.fc", 3), slot("b.fc", 3)))
    for name in ("a", "b"):
        outer = hand.run("block", slot=name)
        for _ in range(2):
            hand.run("fc", outer, slot=f"{name}.fc", loop=1)
    assert judged(hand) == {"block": "ML202", "fc": "ML003"}


def test_a_repetition_of_the_holder_is_none_of_what_it_holds():
    hand = Hand()
    hand.box("block", LINEAR, slots=(slot("l.0", 5), slot("l.1", 5, repeated=True)))
    hand.leaf("fc", LINEAR, slots=(slot("l.0.fc", 3), slot("l.1.fc", 3, repeated=True)))
    for i in range(2):
        outer = hand.run("block", slot=f"l.{i}")
        for _ in range(2):
            hand.run("fc", outer, slot=f"l.{i}.fc", loop=1)
    assert judged(hand) == {"block": "ML201", "fc": "ML003"}


def chain(first: int, second: int, consumes: tuple[int, ...] = (1,), **more: object) -> Hand:
    hand = Hand()
    hand.leaf("fc", LINEAR)
    hand.leaf("act", RELU)
    hand.run("fc", line=first, **more)
    hand.run("act", consumes=consumes)
    hand.run("fc", line=second, consumes=(2,), **more)
    return hand


@pytest.mark.parametrize(
    ("hand", "expected"),
    [
        pytest.param(chain(5, 6), "ML203", id="a layer applied to its own output"),
        pytest.param(chain(5, 6, consumes=()), "ML003", id="a layer applied to two inputs"),
        pytest.param(chain(5, 6, loop=1), "ML003", id="a layer that a loop applies to its own output"),
        pytest.param(chain(5, 6, times=2), "ML003", id="a layer that a loop of its own repeats"),
        pytest.param(chain(5, 5), "ML003", id="one call site in a helper that is called twice"),
    ],
)
def test_chains(hand, expected):
    assert only(hand).code == expected


def test_a_layer_that_two_blocks_apply_in_turn_is_no_slip_of_one_line():
    hand = Hand()
    for name in ("a", "b"):
        hand.box(name, LINEAR)
    hand.leaf("fc", LINEAR)
    hand.run("fc", hand.run("a"))
    hand.run("fc", hand.run("b"), consumes=(2,))
    assert judged(hand) == {"fc": "ML003"}


def test_a_container_applied_to_its_own_output_is_a_recurrent_block():
    hand = Hand()
    hand.box("block", LINEAR)
    hand.run("block")
    hand.run("block", consumes=(1,))
    assert judged(hand) == {"block": "ML003"}


# Checkpointing


def test_a_norm_that_is_recomputed_updates_twice():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn", recomputed=True)
    judgement = only(hand)
    assert (judgement.code, judgement.count, judgement.primary) == ("ML103", 2, at(21))


def test_a_recomputed_block_is_one_finding_with_its_norms():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("block.bn", NORM)
    hand.leaf("block.fc", LINEAR)
    outer = hand.run("block", recomputed=True)
    hand.run("block.bn", outer, recomputed=True)
    hand.run("block.fc", outer, recomputed=True)
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code) == ("block", "ML103")
    assert [child.key for child in judgement.children] == ["block.bn"]


@pytest.mark.parametrize(
    ("state", "frozen"),
    [
        pytest.param(LINEAR, False, id="weights are not written"),
        pytest.param(DROPOUT, False, id="the checkpoint restores the generator"),
        pytest.param(NORM, True, id="a frozen norm writes nothing"),
        pytest.param(MAYBE_NORM, False, id="uncertain state never warns"),
    ],
)
def test_recomputing_what_writes_nothing_is_silent(state, frozen):
    hand = Hand()
    hand.box("block", state)
    hand.leaf("block.m", state)
    outer = hand.run("block", recomputed=True)
    hand.run("block.m", outer, recomputed=True, frozen=frozen)
    assert judged(hand) == {}


def test_a_recomputed_leaf_that_is_frozen_is_silent():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn", recomputed=True, frozen=True)
    assert judged(hand) == {}


def test_a_norm_that_runs_only_in_the_call_that_is_not_recomputed_is_silent():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("bn", NORM, slots=(slot("block.bn"),))
    hand.run("block", recomputed=True)
    hand.run("bn", hand.run("block"))
    assert judged(hand) == {"block": "ML003"}


def test_the_primary_place_of_recomputing_is_the_checkpoint_call():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn", recomputed=True, recomputed_by=at(40))
    assert only(hand).primary == at(40)


def test_a_norm_outside_the_recomputed_call_of_its_block_is_silent():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("bn", NORM, slots=(slot("block.bn"),))
    hand.run("block", recomputed=True)
    hand.run("bn")
    assert judged(hand) == {}


def test_reuse_is_worse_than_recomputing():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn", recomputed=True)
    hand.run("bn", recomputed=True)
    assert judged(hand) == {"bn": "ML101"}


# Several models


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        pytest.param(Origin.DEFAULT_ARGUMENT, "ML301", id="in a default argument"),
        pytest.param(Origin.CLASS_ATTRIBUTE, "ML302", id="on the class"),
        pytest.param(Origin.MODULE_LEVEL, "ML303", id="at module level"),
    ],
)
@pytest.mark.parametrize(
    ("state", "shared", "fires"),
    [
        pytest.param(LINEAR, "", True, id="weights"),
        pytest.param(NORM, "", True, id="state"),
        pytest.param(RELU, "", False, id="nothing to share"),
        pytest.param(DROPOUT, "", False, id="draws"),
        pytest.param(UNKNOWN, "", False, id="unknown"),
        pytest.param(MAYBE_NORM, "", False, id="perhaps"),
        pytest.param(NORM, "marked", True, id="state is never meant to be shared"),
    ],
)
def test_what_is_built_once_for_all_models(origin, code, state, shared, fires):
    hand = Hand()
    hand.leaf("m", state, origin=origin, shared=shared)
    hand.run("m")
    assert judged(hand) == ({"m": code} if fires else {})


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        pytest.param(Origin.DEFAULT_ARGUMENT, {}, id="in a default argument"),
        pytest.param(Origin.CLASS_ATTRIBUTE, {"m": "ML302"}, id="on the class they are in no parameters()"),
        pytest.param(Origin.MODULE_LEVEL, {}, id="at module level"),
    ],
)
def test_weights_that_are_shared_by_name(origin, found):
    hand = Hand()
    hand.leaf("m", LINEAR, origin=origin, shared="marked")
    hand.run("m")
    assert judged(hand) == found


def test_a_shared_container_is_one_finding_with_its_stateful_children():
    hand = Hand()
    for key, state, make in (("head", NORM, hand.box), ("fc", LINEAR, hand.leaf), ("bn", NORM, hand.leaf)):
        make(key, state, origin=Origin.MODULE_LEVEL, slots=(), name=key.upper())
    outer = hand.run("head")
    hand.run("fc", outer)
    hand.run("bn", outer)
    judgement = only(hand)
    assert (judgement.instance.key, judgement.code, judgement.primary) == ("head", "ML303", at(4))
    assert [child.key for child in judgement.children] == ["bn"]


def test_an_intent_mark_on_a_shared_container_does_not_speak_for_the_state_in_it():
    hand = Hand()
    hand.box("head", NORM, origin=Origin.MODULE_LEVEL, shared="marked")
    hand.leaf("bn", NORM)
    hand.run("bn", hand.run("head"))
    assert judged(hand) == {"head": "ML303"}


def test_a_child_of_a_shared_container_that_also_runs_outside_is_a_finding_of_its_own():
    hand = Hand()
    hand.box("head", LINEAR, origin=Origin.MODULE_LEVEL)
    hand.leaf("fc", LINEAR, origin=Origin.MODULE_LEVEL)
    hand.run("fc", hand.run("head"))
    hand.run("fc")
    assert judged(hand) == {"head": "ML303", "fc": "ML303"}


def test_a_shared_container_with_an_unknown_child_is_reported_for_what_is_known():
    hand = Hand()
    hand.box("head", UNKNOWN, origin=Origin.MODULE_LEVEL)
    hand.leaf("fc", LINEAR, origin=Origin.MODULE_LEVEL)
    hand.leaf("x", UNKNOWN, origin=Origin.MODULE_LEVEL)
    outer = hand.run("head")
    hand.run("fc", outer)
    hand.run("x", outer)
    assert judged(hand) == {"head": "ML303"}


def test_a_norm_of_all_models_inside_a_reused_block_is_not_the_block_s_fault():
    hand = Hand()
    hand.box("block", NORM)
    hand.leaf("bn", NORM, origin=Origin.MODULE_LEVEL, slots=(slot("block.bn"),))
    for _ in range(2):
        hand.run("bn", hand.run("block"))
    assert judged(hand) == {"block": "ML003", "bn": "ML303"}


def test_a_stateless_instance_of_all_models_is_judged_as_any_other():
    assert only(twice(RELU, origin=Origin.CLASS_ATTRIBUTE)).code == "ML001"


# Places


@pytest.mark.parametrize(
    ("slots", "lines", "expected"),
    [
        pytest.param((slot("a", 3),), (7, 9), 9, id="the second use"),
        pytest.param((slot("a", 3),), (7, 7), 7, id="the only line there is"),
        pytest.param((slot("a", 3), slot("b", 4)), (7, 7), 4, id="the second slot where all uses are one line"),
        pytest.param((slot("a", 3), slot("b", 4)), (7, 9), 9, id="the second use of a norm in two slots"),
        pytest.param((slot("a", 3), slot("b", 4, repeated=True)), (7, 9), 4, id="the repetition"),
    ],
)
def test_the_primary_place_of_stateful_reuse(slots, lines, expected):
    hand = Hand()
    hand.leaf("m", NORM, slots=slots)
    for line, path in zip(lines, ("a", "b"), strict=True):
        hand.run("m", line=line, slot=path)
    assert only(hand).primary == at(expected)


def test_the_primary_place_of_a_layer_in_two_slots_is_the_second_slot():
    hand = in_slots(slot("a", 5), slot("b", 6), used=("a", "b"))
    assert only(hand).primary == at(6)


# Verdicts of single instances


def test_what_runs_inside_a_reused_module_shares_its_fate():
    hand = shared_head(
        ("bn", NORM), ("fc", LINEAR), ("act", RELU), ("drop", DROPOUT), ("x", UNKNOWN), ("y", MAYBE_NORM)
    )
    assert verdicts(hand) == {
        "net": None,
        "head": Verdict.CHANGES_SEMANTICS,
        "head.bn": Verdict.CHANGES_SEMANTICS,
        "head.fc": Verdict.DELIBERATE,
        "head.act": Verdict.SAFE,
        "head.drop": Verdict.SAFE,
        "head.x": Verdict.UNKNOWN,
        "head.y": Verdict.UNKNOWN,
    }


def test_weights_inside_a_block_that_is_repeated_by_accident_share_its_fate():
    hand = Hand()
    hand.box("block", LINEAR, slots=(slot("l.0", 5), slot("l.1", 5, repeated=True)))
    hand.leaf("fc", LINEAR, slots=(slot("l.0.fc"), slot("l.1.fc")))
    for i in range(2):
        hand.run("fc", hand.run("block", slot=f"l.{i}"), slot=f"l.{i}.fc")
    assert verdicts(hand)["fc"] is Verdict.CHANGES_SEMANTICS


def test_a_box_inside_a_reused_module_has_the_verdict_of_the_norm_in_it():
    hand = Hand()
    hand.box("a", NORM)
    hand.box("a.b", NORM)
    hand.leaf("a.b.bn", NORM)
    for _ in range(2):
        hand.run("a.b.bn", hand.run("a.b", hand.run("a")))
    assert verdicts(hand) == {"net": None} | dict.fromkeys(("a", "a.b", "a.b.bn"), Verdict.CHANGES_SEMANTICS)


def test_judgements_keep_the_conditions_of_their_rules():
    rules = ruleset.load()
    seen = set()
    for state in (RELU, DROPOUT, LINEAR, NORM, PLAIN_NORM, OBSERVER, MASKED):
        for origin in Origin:
            for frozen in (False, True):
                hand = Hand()
                hand.leaf("m", state, origin=origin)
                hand.run("m", frozen=frozen)
                hand.run("m", frozen=frozen)
                for judgement in judge(hand.graph):
                    conditions = rules.rule(judgement.code).conditions
                    assert state.kind in conditions.states
                    assert origin in (conditions.origins or Origin)
                    seen.add(judgement.code)
    assert seen == {"ML001", "ML002", "ML003", "ML101", "ML301", "ML302", "ML303"}
