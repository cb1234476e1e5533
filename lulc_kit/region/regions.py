"""A study with a table of areas, from its parameter folder to one map: what `lulc run` and `lulc show` call."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lulc_kit import run, study
from lulc_kit.errors import LulcError
from lulc_kit.region import areas, items
from lulc_kit.region.items import Item, Outcome, Say
from lulc_kit.run import Planned


def items_of(name: str, steps: Sequence[Planned], chosen: Collection[str]) -> list[Item] | None:
    """Return the areas of a study with the steps that each goes through; None if the study has no table of areas.

    Parameters
    ----------
    name
        The study, by name or by the path of its parameter folder.
    steps
        Its plan.
    chosen
        Names of the steps that are wanted.

    Raises
    ------
    LulcError
        If the table or the plan cannot be that of a region.
    """
    table = areas.table_of(run.folder_of(name))
    if table is None:
        return None
    found = [Item(area.name, areas.plan(steps, area)) for area in areas.read(table)]
    return [Item(item.area, [s for s in item.steps if s.step in chosen]) for item in found]


def execute(
    region: study.Study,
    of_region: Sequence[Item],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    force: bool = False,
    say: Say = print,
) -> list[Outcome]:
    """Map all areas of a region, join their maps, and write its page.

    Raises
    ------
    LulcError
        Afterwards, if areas failed: which, and where to read why. The maps of the others are joined all the same.
    """
    outcomes = items.run_all(of_region, scheduler=scheduler, workers=workers, force=force, say=say)
    from lulc_kit.region import results  # pictures take their time to load

    results.write(of_region, outcomes, region.layout)
    say(f"report: {region.layout.report}")
    failed = [outcome.area for outcome in outcomes if outcome.error is not None]
    if failed:
        raise LulcError(
            f"{region.name}: {len(failed)} of {len(outcomes)} areas have no map: {', '.join(failed[:20])}. Why is said "
            f"above and in {region.layout.report}. Mend it and give the same command again: the others are done."
        )
    return outcomes
