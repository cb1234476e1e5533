"""Pictures that follow training: redrawn in place for a reader, and not at all without one."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lulc_kit.visualize import live

LOG = pd.DataFrame({"fold": [1, 1, 2], "step": [20, 40, 20], "loss": [1.0, 0.5, 0.8]})


def test_without_a_reader_there_is_no_picture(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert live.follow("loss", "loss", "any") is None


@pytest.mark.parametrize("wait", [0.0, 1000.0])
def test_a_reader_sees_one_picture_that_is_redrawn_not_too_often(wait, monkeypatch):
    shown = []
    monkeypatch.setenv("JPY_SESSION_NAME", "a notebook")
    monkeypatch.setattr(live, "EVERY", wait)
    monkeypatch.setattr("IPython.display.display", lambda display_id: type("Handle", (), {"update": shown.append}))
    draw = live.follow("loss", "loss", "any")
    draw(LOG[:1])
    draw(LOG)
    assert len(shown) == (2 if wait == 0 else 1) and all(isinstance(figure, Figure) for figure in shown)
    lines = {line.get_label(): line.get_xydata().tolist() for line in shown[-1].axes[0].lines}
    assert lines["fold 1"][0] == [20, 1.0]
    if wait == 0:
        assert lines["fold 1"] == [[20, 1.0], [40, 0.5]] and lines["fold 2"][0] == [20, 0.8]
