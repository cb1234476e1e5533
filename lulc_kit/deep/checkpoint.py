"""What lets training that was cut off go on: the network's numbers and how far it was, beside the run's networks."""

import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lulc_kit import files
from lulc_kit.deep.board import Board
from lulc_kit.errors import StorageError
from lulc_kit.layout import RunLayout

Numbers = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """What a checkpoint holds: how far training is, all numbers that it changes, the best weights so far."""

    state: dict[str, Any]
    numbers: Numbers
    best: Numbers


class Keeper:
    """Keeps the checkpoints of one fold, and its log as a table (CSV).

    Parameters
    ----------
    run
        Where; None: nowhere.
    fold
        Number of the fold, from 1; of settings that are tried beside those given, with their number: ``1_2``.
    fingerprint
        Of all that training depends on; checkpoints of another one are not loaded.

    Attributes
    ----------
    board
        Takes what each look sees, too; None: TensorBoard is not wanted.
    watch
        Takes the rows of the log after each look; None: nobody looks on.
    full
        Whether it was said that the disk is full.
    """

    def __init__(self, run: RunLayout | None, fold: int | str, fingerprint: str) -> None:
        self.run, self.fold, self.fingerprint = run, fold, fingerprint
        self.full = False
        self.board: Board | None = None
        self.watch: Callable[[list[dict[str, float]]], Any] | None = None

    def load(self) -> Kept | None:
        """Return the last checkpoint; None if there is none of this training, or it is damaged."""
        if self.run is None:
            return None
        try:
            with np.load(self.run.checkpoint(self.fold), allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                if about["fingerprint"] != self.fingerprint:
                    return None
                numbers, best = ([held[f"{kind}_{i}"] for i in range(about[kind])] for kind in ("numbers", "best"))
                return Kept(about["state"], numbers, best)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, state: dict[str, Any], numbers: Numbers, best: Numbers) -> None:
        """Keep a checkpoint and the log; on a full disk warn once, and go on without."""
        if self.run is None:
            return
        about = {"fingerprint": self.fingerprint, "state": state, "numbers": len(numbers), "best": len(best)}
        arrays = {f"numbers_{i}": n for i, n in enumerate(numbers)} | {f"best_{i}": n for i, n in enumerate(best)}
        try:
            with files.replacing(self.run.checkpoint(self.fold)) as part:
                np.savez(part, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
            with files.replacing(self.run.log(self.fold)) as part:
                pd.DataFrame(state["rows"]).to_csv(part, index=False)
        except StorageError as error:
            if not self.full:
                warnings.warn(f"Training goes on without checkpoints: {error}", stacklevel=2)
            self.full = True
