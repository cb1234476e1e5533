"""Items side by side: one that fails is an outcome, not an end."""

from pathlib import Path
from typing import Any

import pytest

from lulc_kit import run
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.region import items
from lulc_kit.region.items import Item, Outcome
from tests import scene

STEPS = ("02_preprocess", "04_features")


@pytest.fixture
def three(project: Path) -> list[Item]:
    found = []
    for area in "abc":
        for step in STEPS:
            scene.put(project, step, {"study": f"r-{area}"}, f"r-{area}")
        found.append(Item(area, run.plan(f"r-{area}")))
    return found


def stands_for_running(monkeypatch: pytest.MonkeyPatch, wrong: type[Exception]) -> list[str]:
    """Let steps write a file instead of running a notebook, and those of b fail."""
    ran: list[str] = []

    def one(steps: Any, **options: Any) -> None:
        study = steps[0].parameters.study
        ran.append(study)
        if study == "r-b":
            raise wrong("no scene")
        (Path("outputs") / study).mkdir(parents=True, exist_ok=True)
        (Path("outputs") / study / "x").write_bytes(bytes(1_500_000))

    monkeypatch.setattr(run, "run", one)
    return ran


def test_one_that_fails_does_not_stop_the_others(three: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    ran, said = stands_for_running(monkeypatch, LulcError), list[str]()
    found = items.run_all(three, say=said.append)
    assert ran == ["r-a", "r-b", "r-c"] and [o.area for o in found] == ["a", "b", "c"]
    assert [o.error for o in found] == [None, "no scene", None]
    assert found[0].stored_mb == 1.5
    assert said[1] == "2 of 3, b: failed: no scene" and said[2].startswith("3 of 3, c: done")


def test_what_no_area_should_do_is_no_outcome_of_an_area_alone(
    three: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_for_running(monkeypatch, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):  # a fault of the kit's is seen, where there is no cluster to bear it
        items.run_all(three, say=lambda line: None)
    lost = items._lost(three[1], ZeroDivisionError("0"))
    assert lost == Outcome("b", "ZeroDivisionError: 0", 0, 0, 0)


def test_a_cluster_is_there_or_made_not_both(three: list[Item]) -> None:
    with pytest.raises(ParameterError, match="exclude each other"):
        items.run_all(three, scheduler="tcp://127.0.0.1:1", workers=2)
