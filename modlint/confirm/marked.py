"""A marked instance: the states that it runs with, and who is told of its executions."""

from __future__ import annotations

import copy
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from modlint.confirm.journal import Journal, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from modlint.confirm.replica import Memo


class Tie(Enum):
    """Which parameters the copies of an instance have in common."""

    NOTHING = "nothing"
    TRAINED = "trained"  # those that training changes: the others may be written by forward, as state
    ALL = "all"


class Observer(Protocol):
    """Is told of every execution of a marked instance, by the name of the instance."""

    def before(self, name: str, inputs: Any) -> Any:
        """An execution begins; what is returned comes back in `after`."""
        ...

    def after(self, name: str, token: Any, output: Any) -> None:
        """The execution has returned `output`."""
        ...


class Marked:
    """One marked instance: the states it runs with, and how many executions this forward pass has seen."""

    def __init__(self, name: str, module: nn.Module, apart: bool) -> None:
        self.name = name
        self.module = module
        self.apart = apart
        self.states: list[State] = [vars(module)]
        self.pristine: State | None = None
        self.journal = Journal()
        self.executed = 0
        self.depth = 0
        self.called = False  # `__call__` has begun and its forward is still to come

    def put(self, state: State) -> None:
        """Run with `state` from now on."""
        object.__setattr__(self.module, "__dict__", state)

    def restart(self) -> None:
        """A new forward pass of the root begins."""
        self.executed = 0
        self.put(self.states[0])

    @property
    def every_state(self) -> list[State]:
        """The states that run, and the pristine one that further copies come from."""
        return self.states if self.pristine is None else [*self.states, self.pristine]


class ForwardOnInstance:
    """A forward set on the instance, which hides the one of its class. Copying it copies the user's function."""

    def __init__(self, run: Callable[..., Any], forward: Callable[..., Any]) -> None:
        self._run = run
        self._forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(self._forward, args, kwargs)

    def __deepcopy__(self, memo: Memo) -> Any:
        return copy.deepcopy(self._forward, memo)
