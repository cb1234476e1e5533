"""A small search for settings: some that are drawn are tried beside those that are given, for each fold by itself.

What is best says the fold's inner validation part, which is cut from the land that may teach it: the test fold is not
looked at, nor do other folds' parts, which may lie in it, have a say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SPACE: Mapping[str, Sequence[Any]] = {
    "rate": (0.3, 1.0, 3.0),
    "width": (0.5, 1.0, 2.0),
    "dropout": (0.0, 0.1, 0.2, 0.4),
    "weighting": ("none", "sqrt", "capped"),
}
"""What is drawn from, by name of a setting of `Trial`."""
ATTEMPTS = 100
"""Draws for each trial, in search of one that was not drawn yet."""


@dataclass(frozen=True)
class Trial:
    """Settings that are tried in place of those that are given.

    Attributes
    ----------
    rate, width
        Learning rate and channels, in parts of those given.
    dropout, weighting
        None: as given.
    """

    rate: float = 1.0
    width: float = 1.0
    dropout: float | None = None
    weighting: str | None = None

    @property
    def of_network(self) -> dict[str, float]:
        """What makes another network: ``width`` and ``dropout``, where they are not as given."""
        found = {"width": self.width} if self.width != 1 else {}
        return found | ({} if self.dropout is None else {"dropout": self.dropout})

    def words(self) -> str:
        """Return what is not as given, in words."""
        parts = [f"learning_rate × {self.rate:g}"] if self.rate != 1 else []
        parts += [f"channels × {self.width:g}"] if self.width != 1 else []
        parts += [] if self.dropout is None else [f"dropout {self.dropout:g}"]
        parts += [] if self.weighting is None else [f"class_weight {self.weighting}"]
        return ", ".join(parts) or "as given"


def trials(count: int, names: Sequence[str], seed: int) -> list[Trial]:
    """Return the settings as given, and so many others, each another one, if there are so many.

    Parameters
    ----------
    count
        How many are drawn.
    names
        Which settings are drawn, names in `SPACE`.
    seed
        Of the draws.
    """
    generator = np.random.default_rng([seed, len(names)])
    found = [Trial()]
    for _ in range(ATTEMPTS * count):
        if len(found) > count:
            break
        drawn = Trial(**{name: SPACE[name][int(generator.integers(len(SPACE[name])))] for name in names})
        if asdict(drawn) not in map(asdict, found):
            found.append(drawn)
    return found
