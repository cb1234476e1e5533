"""A card beside each stored network: what it learnt from, how, how well it does, and what it is not good for.

After Mitchell et al. 2019, *Model cards for model reporting*, arXiv 1810.03993.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes
    ----------
    run, fold
        The run, and the fold that the network has not seen.
    model
        What it is, in words.
    data
        Whose data it learnt from, or that they are simulated; empty if nothing says so.
    bands, units
        What it takes, in order, and in which units.
    made
        How that was made and must be made wherever the network is used (`lulc_kit.travel`), by name.
    pixels
        Pixels that taught it, by class.
    separation
        How test and training are kept apart.
    settings
        How it was trained, by name.
    steps
        After how many steps the weights were that it has.
    scores
        By what they are: inner validation, test fold; 0 to 1, NaN where there is none.
    temperature
        By which its scores are divided.
    """

    run: str
    fold: int
    model: str
    data: str
    bands: tuple[str, ...]
    units: tuple[str, ...]
    made: Mapping[str, str]
    pixels: Mapping[str, int]
    separation: str
    settings: Mapping[str, Any]
    steps: int
    scores: Mapping[str, float]
    temperature: float

    def text(self) -> str:
        """Return the card as Markdown."""
        scores = [f"- {what}: {'none' if v != v else f'{v:.3f}'}" for what, v in self.scores.items()]
        lines = [
            f"# Network of run {self.run}, without fold {self.fold}",
            "",
            self.model,
            "",
            "## Data",
            "",
            *([self.data, ""] if self.data else []),
            f"Bands, in this order: {', '.join(map(_with_unit, self.bands, self.units))}.",
            *([f"Made so: {'; '.join(f'{name}: {value}' for name, value in self.made.items())}."] if self.made else []),
            f"Test and training are kept apart by {self.separation}.",
            "",
            "class | pixels that taught it",
            "--- | ---",
            *[f"{name} | {n}" for name, n in self.pixels.items()],
            "",
            "## Settings",
            "",
            *[f"- {name}: {value}" for name, value in self.settings.items()],
            "",
            "## Scores (macro-F1, 0 to 1)",
            "",
            *scores,
            "",
            f"The weights are those after {self.steps} steps; inner validation chose them, so its score flatters. "
            f"The softmax has the temperature {self.temperature:.2f}, fitted there too.",
            "",
            "## Limits",
            "",
            textwrap.dedent("""\
                - It knows the land above: of other places, years, sensors or processing levels nothing is known.
                - Its bands must be in these units (reflectance 0 to 1) and this order, made in the same way.
                - Scores are those of labelled pixels, no random sample of the land.
                - Classes that it was not taught get one of those that it was."""),
            "",
        ]
        return "\n".join(lines)


def _with_unit(band: str, unit: str) -> str:
    return band if unit in ("", "1") else f"{band} ({unit})"
