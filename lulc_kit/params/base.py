"""What the models of all notebooks share: types, checks, and messages that say what is wrong."""

import ast
import datetime
import re
import typing
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from lulc_kit.errors import ParameterError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]*$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Nodata = Annotated[float, Field(allow_inf_nan=True)]  # rasters of floating point often have NaN
Metres = Annotated[float, Field(ge=0, le=100_000)]
Names = Annotated[list[str], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Megabytes = Annotated[int, Field(ge=500, le=100_000_000)]


def _date(value: str) -> str:
    try:
        return datetime.date.fromisoformat(value).isoformat()  # 20230615 is the same day as 2023-06-15
    except ValueError:
        raise ValueError(f'{value!r} is not a date; write it as "YYYY-MM-DD", in quotes') from None


def _compact(value: object) -> object:
    return str(value) if type(value) is int and 10_000_101 <= value <= 99_991_231 else value  # 20230615 without quotes


Date = Annotated[str, pydantic.BeforeValidator(_compact), pydantic.AfterValidator(_date)]


class Model(BaseModel):
    """Values that are checked: of their types, without unknown names, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Parameters(Model):
    """What every notebook has."""

    notebook: ClassVar[str]
    """Stem of the notebook's file."""

    study: Name = Field("havelland", description="name of the study; its results are in outputs/<study>")
    outputs: str = Field("outputs", description="folder of all results; relative to the project's folder")

    @property
    def step(self) -> str:
        """Name of this run: that of its parameter file, e.g. ``06_rf``."""
        run = getattr(self, "run", None)
        return f"{self.notebook[:2]}_{run}" if run else self.notebook

    @classmethod
    def check(cls, values: Mapping[str, Any], where: str) -> Self:
        """Validate plain values.

        Parameters
        ----------
        values
            Parameters by name.
        where
            Where they come from, for the message.

        Raises
        ------
        LulcError
            Names each wrong parameter, what was found, and what is expected.
        """
        try:
            return cls.model_validate(dict(values))
        except pydantic.ValidationError as error:
            raise ParameterError(f"{where}:\n" + "\n".join(_explain(cls, e) for e in error.errors())) from None

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """Validate the parameters of the notebook that is running.

        Parameters
        ----------
        namespace
            ``globals()`` of the notebook. What papermill injected is looked up in its list of cells, so that a
            misspelt name is refused, which papermill only warns of.
        """
        fields = set(cls.model_fields)
        missing = sorted(fields - set(namespace))
        if missing:
            raise ParameterError(
                f"{cls.notebook}: the cell 'parameters' does not set {', '.join(missing)}. "
                f"Restore it (git checkout notebooks/{cls.notebook}.ipynb)."
            )
        values = {name: namespace[name] for name in fields}
        for cell in namespace.get("In", []):
            if str(cell).startswith("# Parameters"):  # papermill's mark on the cell it injects
                values |= {name: namespace[name] for name in _assigned(str(cell))}
        return cls.check(values, f"notebook {cls.notebook}")


def _assigned(source: str) -> list[str]:
    targets = [t for node in ast.parse(source).body if isinstance(node, ast.Assign) for t in node.targets]
    return [t.id for t in targets if isinstance(t, ast.Name)]


_NUMBERS = ("float_type", "int_type")
"""What pydantic calls the errors of a value that should be a number."""


def _explain(model: type[BaseModel], error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "the parameters together"
    found = error["input"]
    if error["type"] == "extra_forbidden":
        known = ", ".join(_model_at(model, error["loc"][:-1]).model_fields)
        return f"  {name}: there is no such parameter. Known: {known}."
    shown = repr(found)
    if len(shown) > 200:
        shown = f"{shown[:200]} …"
    line = f"  {name}: found {shown}; {error['msg'].removeprefix('Value error, ')}."
    if isinstance(found, datetime.date):
        line += f' YAML reads {found} as a date: write the day in quotes, "{found:%Y-%m-%d}".'
    if isinstance(found, bool) and error["type"] == "string_type":
        line += " YAML reads yes, no, on and off as true and false: if such a word is meant, write it in quotes."
    if isinstance(found, str) and "−" in found:
        line += f" The minus sign is a typographic one, which YAML takes for text: write {found.replace('−', '-')}."
    if isinstance(found, str) and re.fullmatch(r"[-+]?\d+,\d+", found.strip()) and error["type"] in _NUMBERS:
        line += f" YAML takes a decimal comma for text: write {found.replace(',', '.')}."
    if found == "nan" and error["type"] in _NUMBERS:
        line += " YAML writes it with a point: .nan"
    if isinstance(found, str) and "e" in found.lower():
        try:
            number = float(found)
        except ValueError:
            return line
        line += f" YAML 1.1 reads {found} as text: write {_yaml_number(found, number, error['type'])}."
    return line


def _yaml_number(text: str, number: float, wanted: str) -> str:
    """Write a number such as 1e-4 so that YAML 1.1 reads it as one: with a point and a signed exponent."""
    if wanted == "int_type" and number.is_integer():
        return str(int(number))
    mantissa, exponent = text.lower().strip().split("e")
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa}{point}e{sign}{exponent}"


def _model_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel]:
    """Return the model that an unknown name was given to: the notebook's, or that of an entry of a list in it."""
    for name in location:
        if isinstance(name, str) and name in model.model_fields:
            for part in typing.get_args(model.model_fields[name].annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    model = part
    return model
