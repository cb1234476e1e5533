"""All that notebook 09 found of a study, and its numbers as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lulc_kit.evaluate import accuracy
from lulc_kit.evaluate.accuracy import Estimate
from lulc_kit.evaluate.agreement import Agreement
from lulc_kit.evaluate.change import Change
from lulc_kit.evaluate.changed_areas import ChangedAreas
from lulc_kit.evaluate.runs import Evaluation
from lulc_kit.evaluate.smoothed import Smoothed
from lulc_kit.evaluate.survey import Survey
from lulc_kit.evaluate.trust import Trust
from lulc_kit.late import pd, xr


@dataclass(frozen=True)
class Findings:
    """What 09 found.

    Attributes
    ----------
    judged
        How well the runs do.
    trusted
        By run: where its map is to be doubted.
    surveyed
        What a probability sample says of the maps; None without one.
    agreed
        By name: how far a run's map and another one agree, and where; None without other maps.
    made
        By run: its map, smoothed.
    changed, estimated
        What became what between two maps, and what interpreted points say of it; None if that was not asked for.
    """

    judged: Evaluation
    trusted: Mapping[str, Trust]
    surveyed: Survey | None = None
    agreed: Mapping[str, tuple[Agreement, xr.DataArray]] | None = None
    made: Mapping[str, Smoothed] = field(default_factory=dict)
    changed: Change | None = None
    estimated: ChangedAreas | None = None

    def tables(self) -> dict[str, pd.DataFrame]:
        """Lay the numbers out as tables, by name."""
        found = self._of_runs() | self._of_survey() | self._of_change()
        names = list(self.judged.classes.names)
        for name, (other, _) in (self.agreed or {}).items():
            found[f"agreement_{name}"] = pd.DataFrame(other.matrix, names, names).rename_axis("ours")
        return found

    def _of_runs(self) -> dict[str, pd.DataFrame]:
        """Runs, classes, confusions, comparison, calibration, class sets."""
        names = list(self.judged.classes.names)
        rows = []
        for run in self.judged.ranked():
            for split, kind in (
                ("apart_in_space", self.judged.runs),
                ("further_split", self.judged.further),
                ("random_pixels", self.judged.leaking),
            ):
                for score in accuracy.WHOLE if run in kind else ():
                    rows.append({"run": run, "split": split, "score": score, **vars(getattr(kind[run], score))})
        found = {
            "runs": pd.DataFrame(rows).set_index("run"),
            "comparison": self.judged.comparison().set_index("better"),
            "calibration": self.judged.calibration_table(),
        }
        for run in self.judged.ranked():
            classes_of = self.judged.runs[run].classes
            each = [
                {"class": name, "score": score, **vars(e)}
                for name, row in classes_of.items()
                for score, e in row.items()
                if isinstance(e, Estimate)
            ]
            found[f"classes_{run}"] = pd.DataFrame(each).set_index("class")
            matrix = pd.DataFrame(self.judged.runs[run].matrix, names, names)
            found[f"confusion_{run}"] = matrix.rename_axis("labelled as")
        for run, known in self.trusted.items():
            found[f"class_sets_{run}"] = known.coverage(self.judged.classes)
            found[f"class_sets_blocks_{run}"] = known.by_block()
            found[f"errors_by_dissimilarity_{run}"] = known.by_index.rename_axis("group")
        return found

    def _of_survey(self) -> dict[str, pd.DataFrame]:
        """Areas, and for each run accuracy by class and points by both classes."""
        if self.surveyed is None:
            return {}
        names = list(self.surveyed.classes.names)
        found = {"survey_areas": self.surveyed.areas()}
        for run, counts in self.surveyed.matrices.items():
            found[f"survey_accuracy_{run}"] = self.surveyed.scores(run)
            found[f"survey_points_{run}"] = pd.DataFrame(counts, names, names).rename_axis("mapped as")
        return found

    def _of_change(self) -> dict[str, pd.DataFrame]:
        """Hectares by both classes, gains and losses; and what points say of them."""
        found: dict[str, pd.DataFrame] = {}
        if self.changed is not None:
            found |= {"change": self.changed.transitions(), "change_balance": self.changed.balance()}
        if (areas := self.estimated) is not None:
            found |= {"change_areas": areas.areas(), "change_areas_balance": areas.balance()}
            found["change_points"] = pd.DataFrame(areas.matrix, areas.names, areas.names).rename_axis("mapped as")
        return found
