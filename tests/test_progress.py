"""Progress: all items come through, and a log gets plain lines."""

import io

import pytest

from lulc_kit import progress


def test_track_gives_every_item_once_in_order() -> None:
    assert list(progress.track(range(5), "work")) == [0, 1, 2, 3, 4]
    assert list(progress.track(iter("abc"), "work")) == ["a", "b", "c"]
    assert list(progress.track([], "work")) == []


def test_bar_counts_and_takes_fractions() -> None:
    with progress.bar(10, "rows", "rows") as shown:
        shown.update(4)
        shown.update(6)
        assert shown.n == 10


def test_error_in_the_work_passes_through() -> None:
    def work() -> None:
        for _ in progress.track([1, 2], "work"):
            raise KeyError("broken")

    with pytest.raises(KeyError):
        work()


def test_lines_are_plain() -> None:
    stream = io.StringIO()
    lines = progress._Lines(stream)
    for text in ("\r\x1b[A", "\rrows: 1/2", "\rrows: 1/2", "\n", "\rrows: 2/2"):
        lines.write(text)
    lines.flush()
    assert stream.getvalue() == "rows: 1/2\nrows: 2/2\n"


def test_log_of_long_work_has_no_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(progress, "SILENT", 0.0)
    for _ in progress.track("ab", "dates"):
        for _ in progress.track("cd", "rows"):
            pass
    out, _ = capsys.readouterr()
    assert "dates: 2/2 (100 %)" in out
    assert "\r" not in out
    assert "\x1b" not in out


def test_bytes_show_their_rate_and_the_time_that_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SILENT", 0)
    with progress.bar(4_000_000, "file", "B") as shown:
        shown.start_t -= 2  # two seconds ago
        shown.update(1_000_000)
        shown.refresh()
    assert "file: 1.00M/4.00M (25 %), 500kB/s, 00:02 passed, 00:06 left" in capsys.readouterr().out
