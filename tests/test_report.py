"""Findings: golden messages of every rule and variant, places, facts and fingerprints."""

from __future__ import annotations

import re
import string
from dataclasses import replace

import pytest
from handmade import DROPOUT, LINEAR, MASKED, MAYBE_NORM, NORM, OBSERVER, PLAIN_NORM, RELU, UNKNOWN, Hand, at, slot

from modlint import ruleset
from modlint.findings import Finding, ModuleFacts, Severity, UseSite
from modlint.graph import Instance, Location, Origin, Site, State, StateClass, Trait
from modlint.report import distinct, finding_at, finding_of, name_of
from modlint.ruleset import Variant
from modlint.verdicts import judge

RULES = ruleset.load()
WRITES = frozenset({Trait.LEARNABLE, Trait.WRITES_TRAIN})
SPECTRAL = State.of(WRITES, ("parametrizations.weight.0._u", "parametrizations.weight.0._v"))
HIDDEN = State.of(WRITES, ("h", "c"))
MANY = State.of(WRITES, ("a", "b", "c", "d", "e"))
NAMELESS = State.of(WRITES)
MIXED = State.of(WRITES, ("running_mean", "mask"))


def found(hand: Hand) -> list[Finding]:
    made = [finding_of(judgement, "Net", RULES, lambda place: place) for judgement in judge(hand.graph)]
    return [finding for finding in made if finding is not None]


def leaf(state: State, *lines: int, slots: tuple[object, ...] = (), **more: object) -> Hand:
    """One leaf `bn`, used on each of the lines; with several slots through each in turn."""
    hand = Hand()
    uses = {name: more.pop(name) for name in ("times", "at_least", "loop", "recomputed") if name in more}
    hand.leaf("bn", state, **({"slots": slots} if slots else {}), **more)
    for i, line in enumerate(lines):
        hand.run("bn", line=line, slot=slots[i].path if len(slots) > 1 else "bn", **uses)
    return hand


def head(*children: tuple[str, str, State], runs: int = 2, **use: object) -> Hand:
    """A head on lines 21, 22, ... with children of the given names and types."""
    hand = Hand()
    hand.box("head", NORM, type="net.Head")
    for name, kind, state in children:
        hand.leaf(f"head.{name}", state, type=f"torch.nn.{kind}")
    for i in range(runs):
        order = hand.run("head", line=21 + i, **use)
        for name, _kind, _state in children:
            hand.run(f"head.{name}", order, line=9, within="Head.forward")
    return hand


def chained() -> Hand:
    hand = Hand()
    hand.leaf("fc2", LINEAR)
    hand.run("fc2", line=21)
    hand.run("fc2", line=22, consumes=(1,))
    return hand


BN = ("BatchNorm2d", NORM)
LAYER = {"type": "torch.nn.Linear"}

MESSAGES = [
    pytest.param(
        leaf(RELU, 21, 23),
        "ReLU 'self.bn' runs 2 times per forward (first at line 21): it keeps nothing between calls, so sharing it "
        "changes nothing; it can stay as it is",
        id="ML001",
    ),
    pytest.param(
        leaf(DROPOUT, 21, 23),
        "Dropout 'self.bn' runs 2 times per forward (first at line 21): each call draws anew from the global "
        "generator, as separate instances would; it can stay as it is",
        id="ML002",
    ),
    pytest.param(
        leaf(LINEAR, 21, 23),
        "Linear 'self.bn' runs 2 times per forward (first at line 21): all uses train one set of weights, which reads "
        "as meant (one name, called again); give each use its own instance if it is not",
        id="ML003",
    ),
    pytest.param(
        leaf(LINEAR, 21, times=3, loop=1),
        "Linear 'self.bn' runs 3 times per forward (at line 21): all uses train one set of weights, which reads as "
        "meant (a loop calls it); give each use its own instance if it is not",
        id="ML003 in a loop",
    ),
    pytest.param(
        leaf(LINEAR, 21, 23, shared="its name says tied"),
        "Linear 'self.bn' runs 2 times per forward (first at line 21): all uses train one set of weights, which reads "
        "as meant (its name says tied); give each use its own instance if it is not",
        id="ML003 with a reason of its own",
    ),
    pytest.param(
        leaf(NORM, 21, 23),
        "BatchNorm2d 'self.bn' runs 2 times per forward (first at line 21): its running statistics mix both inputs; "
        "give each use its own instance",
        id="ML101 of running statistics",
    ),
    pytest.param(
        leaf(NORM, 21, 23, 25),
        "BatchNorm2d 'self.bn' runs 3 times per forward (first at line 21): its running statistics mix all inputs; "
        "give each use its own instance",
        id="ML101 of three uses",
    ),
    pytest.param(
        leaf(NORM, 21, times=2, at_least=True, loop=1),
        "BatchNorm2d 'self.bn' runs at least 2 times per forward (at line 21): its running statistics mix all inputs; "
        "give each use its own instance",
        id="ML101 in a loop of unknown length",
    ),
    pytest.param(
        leaf(SPECTRAL, 21, 23, type="torch.nn.Conv2d"),
        "Conv2d 'self.bn' runs 2 times per forward (first at line 21): its power iteration advances at every use, so "
        "the uses of one step see different weights; give each use its own instance",
        id="ML101 of spectral norm",
    ),
    pytest.param(
        leaf(OBSERVER, 21, 23),
        "MinMaxObserver 'self.bn' runs 2 times per forward (first at line 21): its range is taken over both inputs, "
        "so both are quantised with one scale; give each use its own instance",
        id="ML101 of an observer",
    ),
    pytest.param(
        leaf(MASKED, 21, 23),
        "LockedDropout 'self.bn' runs 2 times per forward (first at line 21): what one use writes to 'mask' is there "
        "when the next one reads it; give each use its own instance",
        id="ML101 of an attribute",
    ),
    pytest.param(
        leaf(HIDDEN, 21, 23, type="net.Cell"),
        "Cell 'self.bn' runs 2 times per forward (first at line 21): what one use writes to 'h' and 'c' is there when "
        "the next one reads it; give each use its own instance",
        id="ML101 of two attributes",
    ),
    pytest.param(
        leaf(MANY, 21, 23, type="net.Cell"),
        "Cell 'self.bn' runs 2 times per forward (first at line 21): what one use writes to 'a', 'b', 'c' and 2 more "
        "is there when the next one reads it; give each use its own instance",
        id="ML101 of many attributes",
    ),
    pytest.param(
        leaf(NAMELESS, 21, 23, type="net.Cell"),
        "Cell 'self.bn' runs 2 times per forward (first at line 21): what one use writes to its state is there when "
        "the next one reads it; give each use its own instance",
        id="ML101 of state without a name",
    ),
    pytest.param(
        leaf(MIXED, 21, 23, type="net.Cell"),
        "Cell 'self.bn' runs 2 times per forward (first at line 21): what one use writes to its state is there when "
        "the next one reads it; give each use its own instance",
        id="ML101 of two kinds of state",
    ),
    pytest.param(
        head(("norm", *BN)),
        "Head 'self.head' runs 2 times per forward (first at line 21): the running statistics of BatchNorm2d 'norm' "
        "mix both inputs; give each use norms of its own, or norms without running statistics",
        id="ML102 of one norm",
    ),
    pytest.param(
        head(("a", *BN), ("b", *BN), ("c", *BN), ("d", *BN), runs=3),
        "Head 'self.head' runs 3 times per forward (first at line 21): the running statistics of BatchNorm2d 'a', "
        "'b', 'c' and 'd' mix all inputs; give each use norms of its own, or norms without running statistics",
        id="ML102 of four norms",
    ),
    pytest.param(
        head(*((name, *BN) for name in "abcdef")),
        "Head 'self.head' runs 2 times per forward (first at line 21): the running statistics of BatchNorm2d 'a', "
        "'b', 'c' and 3 more mix both inputs; give each use norms of its own, or norms without running statistics",
        id="ML102 of six norms",
    ),
    pytest.param(
        head(("norm", *BN), ("drop", "LockedDropout", MASKED)),
        "Head 'self.head' runs 2 times per forward (first at line 21): what one use writes to the state of "
        "BatchNorm2d 'norm' and LockedDropout 'drop' is there when the next one reads it; give each use its own "
        "instance",
        id="ML102 of two kinds of state",
    ),
    pytest.param(
        head(("drop", "LockedDropout", MASKED)),
        "Head 'self.head' runs 2 times per forward (first at line 21): what one use writes to 'mask' of LockedDropout "
        "'drop' is there when the next one reads it; give each use its own instance",
        id="ML102 of an attribute",
    ),
    pytest.param(
        head(("conv", "Conv2d", SPECTRAL)),
        "Head 'self.head' runs 2 times per forward (first at line 21): the power iteration of Conv2d 'conv' advances "
        "at every use, so the uses of one step see different weights; give each use its own instance",
        id="ML102 of spectral norm",
    ),
    pytest.param(
        head(("obs", "MinMaxObserver", OBSERVER)),
        "Head 'self.head' runs 2 times per forward (first at line 21): the ranges of MinMaxObserver 'obs' are taken "
        "over both inputs, so both are quantised with one scale; give each use its own instance",
        id="ML102 of an observer",
    ),
    pytest.param(
        leaf(NORM, 21, recomputed=True),
        "BatchNorm2d 'self.bn' runs again in backward under activation checkpointing (at line 21): one step updates "
        "its running statistics twice with the same batch; keep it outside the checkpointed part, or use a norm "
        "without running statistics",
        id="ML103 of a norm",
    ),
    pytest.param(
        head(("norm", *BN), runs=1, recomputed=True),
        "Head 'self.head' runs again in backward under activation checkpointing (at line 21): one step updates the "
        "running statistics of BatchNorm2d 'norm' twice with the same batch; keep it outside the checkpointed part, "
        "or use a norm without running statistics",
        id="ML103 of a block",
    ),
    pytest.param(
        leaf(SPECTRAL, 21, recomputed=True, type="torch.nn.Conv2d"),
        "Conv2d 'self.bn' runs again in backward under activation checkpointing (at line 21): one step updates its "
        "power iteration twice, so the gradient belongs to other weights than the output; keep it outside the "
        "checkpointed part",
        id="ML103 of spectral norm",
    ),
    pytest.param(
        leaf(MASKED, 21, recomputed=True),
        "LockedDropout 'self.bn' runs again in backward under activation checkpointing (at line 21): one step updates "
        "its 'mask' twice; keep it outside the checkpointed part",
        id="ML103 of an attribute",
    ),
    pytest.param(
        leaf(LINEAR, 21, 21, 21, slots=(slot("l.0", 5), slot("l.1", 5, repeated=True), slot("l.2", 5, repeated=True))),
        "Linear 'self.l.0' is one instance repeated in 3 slots, also as 'self.l.1' and 'self.l.2': all of them train "
        "one set of weights; build one for each slot, as in [make() for _ in range(n)], or mark the line with '# "
        "modlint: shared -- reason'",
        id="ML201",
    ),
    pytest.param(
        leaf(LINEAR, 21, 23, slots=(slot("a.fc", 5), slot("b.fc", 6))),
        "Linear 'self.a.fc' is one instance in 2 slots, also as 'self.b.fc': all of them train one set of weights; "
        "build one for each slot, or mark the line with '# modlint: shared -- reason'",
        id="ML202",
    ),
    pytest.param(
        chained(),
        "Linear 'self.fc2' is applied to its own output (first at line 21): both steps train one set of weights, a "
        "usual slip of copying; call the layer that was meant, or mark the line with '# modlint: shared -- reason'",
        id="ML203",
    ),
    pytest.param(
        leaf(LINEAR, 21, origin=Origin.DEFAULT_ARGUMENT, name="act", type="torch.nn.PReLU"),
        "PReLU 'act' is built in a default argument, once for the whole program: every model shares its weights; let "
        "the default be None and build it in __init__",
        id="ML301",
    ),
    pytest.param(
        leaf(LINEAR, 21, origin=Origin.CLASS_ATTRIBUTE, name="Net.act", type="torch.nn.PReLU", slots=()),
        "PReLU 'Net.act' is an attribute of the class: all models share its weights, and parameters(), state_dict(), "
        "to() and eval() pass it by; build it in __init__",
        id="ML302",
    ),
    pytest.param(
        leaf(NORM, 21, origin=Origin.MODULE_LEVEL, name="NORM"),
        "BatchNorm2d 'NORM' is built at module level, once for the whole program: every model that uses it shares its "
        "weights and running statistics; build it in __init__",
        id="ML303 of weights and state",
    ),
    pytest.param(
        leaf(PLAIN_NORM, 21, origin=Origin.MODULE_LEVEL, name="NORM"),
        "BatchNorm2d 'NORM' is built at module level, once for the whole program: every model that uses it shares its "
        "running statistics; build it in __init__",
        id="ML303 of state alone",
    ),
]


@pytest.mark.parametrize(("hand", "message"), MESSAGES)
def test_messages(hand, message, request):
    (finding,) = found(hand)
    assert finding.message == message
    assert finding.code == request.node.callspec.id.split()[0]


def test_every_template_of_every_judged_rule_has_a_golden_message():
    golden = [case.values[1] for case in MESSAGES]
    for rule in RULES.all():
        for variant, template in rule.messages if rule.code < "ML6" else ():
            literal = [re.escape(text) for text, *_ in string.Formatter().parse(template)]
            pattern = re.compile(".+".join(literal))
            assert any(pattern.search(message) for message in golden), (rule.code, variant)


PLACE = Location("net.py", 7, 5, 7, 9)


@pytest.mark.parametrize(
    ("code", "variant", "fields", "message"),
    [
        pytest.param(
            "ML601",
            Variant.FINDING,
            {"operation": "conv_transpose2d", "path": "up.0"},
            "conv_transpose2d in 'up.0' has no deterministic CUDA kernel: equal runs differ by its rounding, whether "
            "or not modules are shared; compare runs on the CPU or without it",
            id="ML601",
        ),
        pytest.param(
            "ML901",
            Variant.FINDING,
            {"reason": "invalid syntax"},
            "this file cannot be read (invalid syntax): none of its models is checked; mend it, or exclude it",
            id="ML901",
        ),
        pytest.param(
            "ML902",
            Variant.FINDING,
            {"what": "ReLU 'self.act'", "traced": "3 times", "static": "2 times"},
            "ReLU 'self.act' runs 3 times in the trace, but the source reads as 2 times: the findings follow the "
            "trace here; please report the model, for one of the two passes is wrong",
            id="ML902",
        ),
        pytest.param(
            "ML903",
            Variant.SUPPRESSION,
            {"comment": "'# modlint: ignore[ML101]'", "reason": "ML101 does not fire on this line"},
            "'# modlint: ignore[ML101]' suppresses nothing here (ML101 does not fire on this line): it would hide a "
            "later finding; remove it",
            id="ML903 of a suppression",
        ),
        pytest.param(
            "ML903",
            Variant.INTENT,
            {"comment": "'# modlint: shared'", "reason": "this instance runs once"},
            "'# modlint: shared' is not true (this instance runs once): it would hide sharing that nobody meant; "
            "remove it",
            id="ML903 of an intent mark",
        ),
    ],
)
def test_messages_about_places(code, variant, fields, message):
    finding = finding_at(RULES.rule(code), PLACE, variant, **fields)
    assert (finding.message, finding.location, finding.code) == (message, PLACE, code)
    assert len(finding.fingerprint) == 32


def test_a_finding_has_all_that_the_contract_asks_for():
    (finding,) = found(leaf(NORM, 21, 23))
    writes = ("running_mean", "running_var", "num_batches_tracked")
    assert (finding.name, finding.family, finding.severity) == ("stateful-reuse", "state", Severity.ERROR)
    assert (finding.model, finding.url) == ("Net", "rules/stateful-reuse/README.md")
    assert finding.location == at(23)
    assert finding.module == ModuleFacts("torch.nn.BatchNorm2d", "bn", StateClass.STATEFUL, writes)
    assert finding.created == at(3)
    assert finding.uses == (UseSite(at(21), "Net.forward"), UseSite(at(23), "Net.forward"))
    assert finding.children == ()


def test_children_come_in_the_shape_of_the_module():
    (finding,) = found(head(("norm", *BN), ("fc", "Linear", LINEAR)))
    assert [(child.path, child.type) for child in finding.children] == [("head.norm", "torch.nn.BatchNorm2d")]
    assert finding.module is not None
    assert finding.module.path == "head"


@pytest.mark.parametrize("state", [UNKNOWN, MAYBE_NORM])
def test_an_unknown_verdict_makes_no_finding(state):
    hand = leaf(state, 21, 23)
    assert [judgement.code for judgement in judge(hand.graph)] == [""]
    assert found(hand) == []


def test_a_module_without_state_of_its_own_lists_what_its_children_write():
    (finding,) = found(head(("norm", *BN)))
    assert finding.module is not None
    assert finding.module.writes == finding.children[0].writes == NORM.writes


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        pytest.param("torch.ao.quantization.FakeQuantize", "its range is taken over both inputs", id="of a quantiser"),
        pytest.param("net.Gain", "what one use writes to 'scale' is there", id="of a module of one's own"),
    ],
)
def test_a_scale_is_a_range_where_it_belongs_to_torch(kind, says):
    (finding,) = found(leaf(State.of(WRITES, ("scale",)), 21, 23, type=kind))
    assert says in finding.message


def test_recomputing_inside_what_all_models_share_is_told_as_recomputing():
    hand = Hand()
    hand.box("head", NORM, origin=Origin.MODULE_LEVEL)
    hand.leaf("head.bn", NORM, origin=Origin.MODULE_LEVEL)
    hand.run("head.bn", hand.run("head"), recomputed=True)
    messages = {finding.code: finding.message for finding in found(hand)}
    assert set(messages) == {"ML103", "ML303"}
    assert "one step updates its running statistics twice" in messages["ML103"]


def test_a_first_use_in_another_file_is_named_with_its_file():
    hand = Hand()
    hand.leaf("bn", NORM)
    hand.run("bn", place=at(8, "layers.py"))
    hand.run("bn", place=at(23))
    (finding,) = found(hand)
    assert "runs 2 times per forward (first at layers.py:8): " in finding.message


def test_a_call_site_that_a_loop_repeats_is_listed_once():
    (finding,) = found(leaf(NORM, 21, 21, 21, loop=1))
    assert finding.uses == (UseSite(at(21), "Net.forward"),)
    assert "runs 3 times per forward (at line 21): " in finding.message


def test_sites_are_located():
    hand = Hand()
    hand.leaf("bn", NORM, created=Site("net.py", 3))
    hand.run("bn", place=Site("net.py", 8))
    hand.run("bn", place=Site("net.py", 9))
    (judgement,) = judge(hand.graph)
    finding = finding_of(judgement, "Net", RULES, lambda place: at(10 * place.number, place.filename))
    assert finding is not None
    assert (finding.location, finding.created) == (at(90), at(30))
    assert [use.location for use in finding.uses] == [at(80), at(90)]


def test_a_finding_without_any_place_is_still_a_finding():
    hand = Hand()
    hand.leaf("bn", NORM, created=None)
    hand.run("bn", place=None)
    hand.run("bn", place=None)
    (finding,) = found(hand)
    assert finding.location.filename == "<unknown>"
    assert finding.message.startswith("BatchNorm2d 'self.bn' runs 2 times per forward: its")


@pytest.mark.parametrize(
    ("places", "created", "expected"),
    [
        pytest.param((at(21), None), at(3), at(21), id="the use whose place is known"),
        pytest.param((None, None), at(3), at(3), id="the creation"),
    ],
)
def test_a_finding_stands_at_the_best_place_there_is(places, created, expected):
    hand = Hand()
    hand.leaf("bn", NORM, created=created)
    for place in places:
        hand.run("bn", place=place)
    (finding,) = found(hand)
    assert finding.location == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"slots": (slot("block.bn"),)}, "BatchNorm2d 'self.block.bn'", id="by its slot"),
        pytest.param({"slots": (slot("a"), slot("b"))}, "BatchNorm2d 'self.a'", id="by its first slot"),
        pytest.param({"slots": (), "name": "norm"}, "BatchNorm2d 'norm'", id="a local by its name"),
        pytest.param({"slots": (slot("bn"),), "name": "bn"}, "BatchNorm2d 'self.bn'", id="by its slot before its name"),
        pytest.param(
            {"slots": (slot("bn"),), "name": "NORM", "origin": Origin.MODULE_LEVEL}, "BatchNorm2d 'NORM'", id="a global"
        ),
        pytest.param({"slots": ()}, "BatchNorm2d", id="nameless by its type"),
    ],
)
def test_names(more, expected):
    assert name_of(Instance("k", "torch.nn.BatchNorm2d", NORM, NORM, **more)) == expected


def test_fingerprints_stay_when_lines_move():
    (before,) = found(leaf(NORM, 21, 23))
    (after,) = found(leaf(NORM, 31, 35))
    assert before.location != after.location
    assert before.fingerprint == after.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(leaf(LINEAR, 21, 23), id="another rule"),
        pytest.param(leaf(NORM, 21, 23, slots=(slot("norm"),)), id="another instance"),
    ],
)
def test_fingerprints_of_different_findings_differ(other):
    (one,), (two,) = found(leaf(NORM, 21, 23)), found(other)
    assert one.fingerprint != two.fingerprint


def test_fingerprints_of_nameless_instances_go_by_their_type():
    one, two = (found(leaf(NORM, 21, 23, slots=(slot(""),), type=kind))[0] for kind in ("net.A", "net.B"))
    assert one.fingerprint != two.fingerprint


def test_fingerprints_differ_by_file_and_model():
    (judgement,) = judge(leaf(NORM, 21, 23).graph)
    made = [
        finding_of(judgement, model, RULES, lambda place, file=file: at(place.row, file))
        for model in ("Net", "Other")
        for file in ("a.py", "b.py")
    ]
    assert len({finding.fingerprint for finding in made}) == 4


def test_equal_fingerprints_are_told_apart_in_the_order_of_the_report():
    (finding,) = found(leaf(NORM, 21, 23))
    later = replace(finding, location=at(40))
    ordered = distinct([later, finding])
    assert [f.location for f in ordered] == [at(23), at(40)]
    assert ordered[0].fingerprint == finding.fingerprint
    assert len({f.fingerprint for f in ordered}) == 2
    assert distinct([finding, later]) == ordered
