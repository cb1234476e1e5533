"""A cube of seven dates."""

import pytest

from lulc_kit.layout import Layout
from tests.deep.series import put_cube


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return put_cube(Layout(tmp_path_factory.mktemp("study")))
