import pytest

from lulc_kit.preprocess.sen2cor import versions
from tests.sen2cor import install


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing of the machine that runs the tests is looked at."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("SEN2COR_HOME", raising=False)
    return place


@pytest.fixture
def current(tmp_path):
    return [versions.probe(install(tmp_path / "programs", "02.11.00"))]
