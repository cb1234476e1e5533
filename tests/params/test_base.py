"""What all parameters share: checks, messages, the notebook's names."""

import datetime
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit import params
from lulc_kit.errors import LulcError


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_defaults_are_valid_and_explained(model: type[params.Parameters]) -> None:
    assert model.check(model().model_dump(mode="json"), "defaults") == model()
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_unknown_name_is_refused_and_the_known_are_listed(model: type[params.Parameters]) -> None:
    with pytest.raises(LulcError) as caught:
        model.check({"studdy": "x"}, "here")
    assert str(caught.value).startswith("here:\n  studdy: there is no such parameter.")
    assert set(re.search(r"Known: (.*)\.", str(caught.value))[1].split(", ")) == set(model.model_fields)  # type: ignore[index]


VALUES = {"nodata", "classes"}
"""Parameters that hold numbers of a file, not amounts: any of them may stand there."""


def unbounded(schema: dict[str, Any], where: str, definitions: dict[str, Any]) -> set[str]:
    """Return the numbers of a JSON schema that may be as large, or as small, as one likes."""
    if reference := schema.get("$ref"):
        return unbounded(definitions[reference.rsplit("/", 1)[1]], where, definitions)
    found = set()
    if schema.get("type") in ("integer", "number") and "enum" not in schema:
        ends = [{f"{end}imum", f"exclusive{end.capitalize()}imum"} for end in ("min", "max")]
        found = set() if all(end & set(schema) for end in ends) else {where}
    for inner in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            found |= unbounded(inner, where, definitions)
    for name, inner in schema.get("properties", {}).items():
        if name not in VALUES:
            found |= unbounded(inner, f"{where}.{name}", definitions)
    return found


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_every_number_has_a_lowest_and_a_highest_value(model: type[params.Parameters]) -> None:
    """Else a slip of the pen asks for a bootstrap of a week, or for more memory than there is."""
    schema = model.model_json_schema()
    assert unbounded(schema, model.notebook, schema.get("$defs", {})) == set()


def test_a_number_without_end_would_be_noticed() -> None:
    fields: dict[str, Any] = {"a": {"type": "integer", "minimum": 0}, "b": {"items": {"type": "number", "maximum": 1}}}
    inner = {"properties": {"c": {"anyOf": [{"type": "null"}, {"type": "number"}]}}}
    assert unbounded({"properties": fields | {"d": {"$ref": "#/$defs/D"}}}, "x", {"D": inner}) == {
        "x.a",
        "x.b",
        "x.d.c",
    }
    assert unbounded({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "x", {}) == set()


def test_all_wrong_parameters_are_named_at_once() -> None:
    with pytest.raises(LulcError, match=r"(?s)trees.*seed|seed.*trees"):
        params.Baselines.check({"trees": "x", "seed": -1}, "here")


@given(st.integers(1, 9), st.integers(-12, 12), st.sampled_from(["{}e{}", "{}.5e{}", "-{}E{}"]))
def test_hint_for_exponents_is_a_number_in_yaml(mantissa: int, exponent: int, form: str) -> None:
    text = form.format(mantissa, exponent)
    found = yaml.safe_load(text)
    if not isinstance(found, str):  # already a number for YAML
        return
    with pytest.raises(LulcError) as caught:
        params.FCN.check({"learning_rate": found}, "here")
    hint = re.search(r"as text: write (\S+)\.$", str(caught.value))
    assert hint is not None
    assert yaml.safe_load(hint[1]) == float(text)


def test_exponent_where_a_whole_number_is_wanted() -> None:
    with pytest.raises(LulcError, match=r"write 1000\.$"):
        params.Baselines.check({"trees": yaml.safe_load("1e3")}, "here")


def test_decimal_commas_and_nan_are_told_how_to_be_written() -> None:
    scene = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "a.tif"}}
    for name, value, says in (("scale", "0,0001", r"write 0\.0001\."), ("nodata", "nan", r"with a point: \.nan")):
        with pytest.raises(LulcError, match=rf"(?s){name}.*{says}"):
            params.Download.check({"source": "files", "scenes": [scene | {name: value}]}, "here")


def test_date_without_quotes_says_to_quote_it() -> None:
    found = yaml.safe_load("[2023-06-15, 2023-06-16]")
    assert isinstance(found[0], datetime.date)
    with pytest.raises(LulcError, match='in quotes, "2023-06-15"'):
        params.Preprocess.check({"dates": found}, "here")
    with pytest.raises(LulcError, match='the day in quotes, "2023-06-15"'):
        params.Preprocess.check({"dates": yaml.safe_load("[2023-06-15 10:20:31]")}, "here")


def test_notebook_namespace() -> None:
    defaults = params.Baselines().model_dump()
    assert params.Baselines.from_notebook(defaults) == params.Baselines()
    injected = defaults | {"trees": 7, "In": ["", "trees = 100", "# Parameters\ntrees = 7\n"]}
    assert params.Baselines.from_notebook(injected).trees == 7  # type: ignore[attr-defined]
    misspelt = defaults | {"tress": 7, "In": ["", "# Parameters\ntress = 7\n"]}
    with pytest.raises(LulcError, match="tress: there is no such parameter"):
        params.Baselines.from_notebook(misspelt)
    without = {k: v for k, v in defaults.items() if k != "trees"}
    with pytest.raises(LulcError, match="does not set trees"):
        params.Baselines.from_notebook(without)


def test_a_word_that_yaml_takes_for_a_truth_value_is_to_be_quoted() -> None:
    for text in ("{Norway: [NO], Sweden: [SE]}", "{NO: [1], SE: [2]}"):
        with pytest.raises(LulcError, match="found False.* YAML reads yes, no, on and off as true and false"):
            params.Samples.check({"scheme": None, "classes": yaml.safe_load(text)}, "here")
