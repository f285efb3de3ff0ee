"""Names as people write them in `modlint state` -> the dotted names of the catalogue."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modlint.catalogue.store import Catalogue

# What people import under a short name, and where a bare class name is looked for, in this order; not in packages where
# an entry speaks for every name, such as torchmetrics.
_SHORT = {
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "ops": "torchvision.ops",
    "utils": "torch.nn.utils",
    "parametrizations": "torch.nn.utils.parametrizations",
    "parametrize": "torch.nn.utils.parametrize",
    "prune": "torch.nn.utils.prune",
    "tq": "torch.ao.quantization",
    "nnq": "torch.ao.nn.quantized",
    "nniqat": "torch.ao.nn.intrinsic.qat",
}
_BARE = (
    "torch.nn",
    "torch.nn.utils",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.parametrize",
    "torch.ao.quantization",
    "torch.ao.nn.quantized",
    "torchvision.ops",
    "timm.layers",
    "einops.layers.torch",
)
_MISSING = "the catalogue has no entry for "


class Names:
    """The names of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def known(self, name: str) -> bool:
        """Whether the catalogue has a class or function of that full name."""
        return self.catalogue.canonical(name) is not None

    def full(self, name: str) -> str:
        """The catalogue's name, or the most likely full name of what the catalogue does not have."""
        head, dot, rest = name.partition(".")
        likely = f"{_SHORT[head]}{dot}{rest}" if head in _SHORT else name
        candidates = [name, likely, *([] if dot else [f"{package}.{name}" for package in _BARE])]
        found = (self.catalogue.canonical(candidate) for candidate in candidates)
        return next((known for known in found if known is not None), likely)

    def missing(self, name: str) -> str:
        """Why nothing is known of a full name."""
        if name.startswith("torch.nn.functional."):
            return f"{name} is a function, which makes no module"
        return f"{_MISSING}{name}"

    def explained(self, reason: str) -> str:
        """The reason for an answer: where a name is missing, with the one that may have been meant."""
        if not reason.startswith(_MISSING):
            return reason
        import difflib

        name = reason.removeprefix(_MISSING)
        wanted = name if "." in name else f"torch.nn.{name}"
        package = wanted.rpartition(".")[0]
        near = {known.lower(): known for known in self.catalogue.names() if known.rpartition(".")[0] == package}
        close = difflib.get_close_matches(wanted.lower(), near, 1, 0.9)
        return f"{reason}; is {near[close[0]]} meant?" if close else reason
