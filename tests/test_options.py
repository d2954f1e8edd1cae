"""How options describe themselves, check, parse, compare and name: on a small config of their own."""

import json
import math
from dataclasses import dataclass, field

import pytest

from gpt.options import (
    ConfigError, choice, difference, get, has_effect, name_of, number, options, problems, replace, sections, show,
    switch, text, values,
    walk,
)


@dataclass(frozen=True)
class Engine:
    """A section with one option of every kind, and conditions on conditions."""

    kind: str = choice("petrol", {
        "petrol": ("Petrol", "Burns."), "electric": ("Electric", "Hums."), "none": ("off", "Stands."),
    }, label="Kind", group="Engine", short="engine")
    fuel: str = choice("tank", {"tank": ("tank", "Full."), "can": ("jerrycan", "Small.")},
        label="Fuel", group="Engine", short="fuel", prefixed=True, when={"kind": ("petrol",)})
    leaks: bool = switch(False, label="Leaks", group="Engine", short="leak", when={"fuel": ("can",)})
    turbo: bool = switch(True, label="Turbo", group="Engine", short="turbo",
        when=({"kind": ("electric",)}, {"leaks": (True,)}))
    cylinders: int = number(4, 1, 12, label="Cylinders", group="Engine", short="cylinders")
    limit: float = number(0.0, 0.5, 9.0, zero="off", label="Limit", group="Engine", short="limit")
    boost: float = number(0.001, 1e-5, 10_000.0, log=True, label="Boost", group="Engine", short="boost")
    sticker: str = text("", 16, label="Sticker", group="Engine", short="sticker")
    derived_is_no_option: int = 0

    def problems(self) -> list[str]:
        return problems(self)


@dataclass(frozen=True)
class Wheels:
    count: int = number(4, 2, 18, label="Wheels", group="Wheels", short="wheels")

    def problems(self) -> list[str]:
        return problems(self)


@dataclass(frozen=True)
class Car:
    engine: Engine = field(default_factory=Engine)
    wheels: Wheels = field(default_factory=Wheels)

    def problems(self) -> list[str]:
        together = ["limit and turbo: use one of them."] if self.engine.limit == 1 and self.engine.turbo else []
        return [*self.engine.problems(), *self.wheels.problems(), *together]


ENGINE = options(Engine)


def test_a_config_lists_its_options():
    assert list(ENGINE) == ["kind", "fuel", "leaks", "turbo", "cylinders", "limit", "boost", "sticker"]
    assert options(Engine()) == ENGINE
    assert sections(Car) == {"engine": Engine, "wheels": Wheels}
    assert [path for path, _ in walk(Car)] == [*(f"engine.{name}" for name in ENGINE), "wheels.count"]
    assert get(Car(), "wheels.count") == 4 and values(Car())["engine.kind"] == "petrol" and len(values(Car())) == 9


# Checking -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, good", [
    ("kind", ["petrol", "none"]), ("leaks", [True, False]), ("cylinders", [1, 12]), ("limit", [0, 0.0, 0.5, 9, 9.0]),
    ("boost", [1e-5, 1, 10_000.0]), ("sticker", ["", "x" * 16]),
])
def test_what_passes(name, good):
    assert [ENGINE[name].check(value) for value in good] == [None] * len(good)


@pytest.mark.parametrize("name, bad, way_out", [
    ("kind", ["steam", "", 1, None, True, ["petrol"], {}], "choose one of petrol, electric, none."),
    ("leaks", ["true", 1, 0, None, "maybe"], "use true or false."),
    ("cylinders", [0, 13, 4.0, 2.5, True, "4", None, math.nan, math.inf, 10**400], "use a whole number from 1 to 12."),
    ("limit", [0.4, -1, 9.1, math.nan, math.inf, "off", False], "use a number from 0.5 to 9"),
    ("boost", [0, 0.0, 1e-6, 10_001, math.nan, -math.inf, 10**400, [1]], "use a number from 1e-5 to 10,000."),
    ("sticker", ["x" * 17], "use at most 16."), ("sticker", [3, None, b"x"], "use text."),
])
def test_what_does_not_pass_is_named_with_what_would(name, bad, way_out):
    for value in bad:
        problem = ENGINE[name].check(value)
        assert problem and problem.startswith(name) and way_out in problem, value


def test_what_zero_means_is_said_where_it_lies_outside_the_range():
    assert ENGINE["limit"].check(0.1) == "limit = 0.1: use a number from 0.5 to 9, or 0 for off."


# Reading ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, written, value", [
    ("kind", "electric", "electric"), ("leaks", "true", True), ("leaks", "Off", False), ("leaks", "yes", True),
    ("leaks", "0", False),
    ("cylinders", "6", 6), ("limit", "0", 0.0), ("limit", "2", 2.0), ("boost", "3e-4", 3e-4), ("sticker", "4", "4"),
    ("sticker", "", ""),
])
def test_parsing(name, written, value):
    parsed = ENGINE[name].parse(written)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize("name, written", [
    ("kind", "Petrol"), ("kind", ""), ("leaks", "maybe"), ("cylinders", "4.0"), ("cylinders", "four"),
    ("cylinders", ""), ("cylinders", "13"),
    ("limit", "off"), ("limit", "nan"), ("boost", "inf"), ("boost", "1e999"), ("cylinders", "9" * 5000),
    ("sticker", "x" * 17),
])
def test_parsing_refuses(name, written):
    with pytest.raises(ConfigError, match=f"^{name}.* use |^{name}.*choose one of"):
        ENGINE[name].parse(written)


def test_values_survive_json_and_toml():
    """JSON and TOML may write 4.0 for 4 and 2 for 2.0; what is wrong stays wrong, and is never cut to size."""
    assert repr(ENGINE["cylinders"].coerce(4.0)) == "4" and repr(ENGINE["limit"].coerce(2)) == "2.0"
    for name, wrong in [("boost", 10**400), ("leaks", 1), *(("cylinders", w) for w in (4.5, True, "4", math.inf))]:
        assert ENGINE[name].coerce(wrong) is wrong and ENGINE[name].check(wrong)
    car = replace(Car(), {"engine.kind": "electric", "engine.boost": 2.5, "wheels.count": 3})
    assert replace(Car(), json.loads(json.dumps(values(car)))) == car


# Changing -----------------------------------------------------------------------------------------------------------

def test_replace_changes_what_it_is_told():
    car = replace(Car(), {"engine.cylinders": 6.0, "wheels.count": 18})
    assert car == Car(Engine(cylinders=6), Wheels(18)) and type(car.engine.cylinders) is int
    assert replace(car, {}) == car


def test_replace_lists_all_problems_at_once():
    """Unknown names, values that are wrong alone, and values that are wrong together; each with a way out."""
    with pytest.raises(ConfigError) as error:
        replace(Car(), {"engine.cylindres": 3, "motor.kind": "petrol", "engine": 1, "engine.kind": "steam",
            "wheels.count": 1, "engine.limit": 1.0})
    found = error.value.problems
    assert len(found) == 6 and str(error.value) == "\n".join(found)
    assert "engine.cylindres: there is no such option. Did you mean engine.cylinders?" in found
    assert "limit and turbo: use one of them." in found
    assert any("choose one of" in p for p in found) and any("use a whole number from 2 to 18" in p for p in found)


# Effect, difference, names ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("engine, name, expected", [
    (Engine(), "kind", True), (Engine(), "fuel", True), (Engine(kind="electric"), "fuel", False),
    (Engine(), "leaks", False), (Engine(fuel="can"), "leaks", True),
    (Engine(kind="electric", fuel="can"), "leaks", False),  # fuel has none itself
    (Engine(), "turbo", False), (Engine(kind="electric"), "turbo", True),  # one condition of two
    (Engine(fuel="can", leaks=True), "turbo", True),
    (Engine(kind="none", fuel="can", leaks=True), "turbo", False),  # three deep
])
def test_effect_follows_conditions_of_conditions(engine, name, expected):
    assert has_effect(engine, name) is expected


def test_difference_knows_what_matters():
    base = Car()
    assert difference(base, base) == {}
    assert difference(Car(Engine(turbo=False)), base) == {}  # without effect in either
    assert difference(Car(Engine(kind="electric", turbo=False)), base) == {
        "engine.kind": ("petrol", "electric"), "engine.turbo": (True, False),  # with effect in one
    }
    assert difference(base, Car(Engine(cylinders=6))) == {"engine.cylinders": (6, 4)}


@pytest.mark.parametrize("change, name", [
    ({}, ""), ({"engine.kind": "electric"}, "Electric"), ({"engine.kind": "none"}, "-engine"),
    ({"engine.fuel": "can"}, "fuel jerrycan"),
    ({"engine.limit": 2.5}, "limit 2.5"), ({"engine.boost": 3e-4}, "boost 3e-4"),
    ({"engine.cylinders": 12}, "cylinders 12"),
    ({"engine.kind": "electric", "engine.turbo": False}, "Electric -turbo"),
    ({"engine.sticker": "I brake for cats"}, "sticker 'I brake for '"),
    ({"engine.cylinders": 8, "wheels.count": 3}, "cylinders 8 wheels 3"),
])
def test_a_run_is_named_by_its_difference(change, name):
    assert name_of(replace(Car(), change), Car()) == name


def test_going_back_is_named_too():
    assert name_of(Car(), Car(Engine(limit=2.0, kind="electric"))) == "Petrol -limit"
    assert name_of(Car(Engine(fuel="can", leaks=True)), Car(Engine(fuel="can"))) == "+leak"


def test_values_in_words():
    words = {name: option.describe(getattr(Engine(), name)) for name, option in ENGINE.items()}
    assert words == {"kind": "Petrol", "fuel": "tank", "leaks": "off", "turbo": "on", "cylinders": "4", "limit": "off",
        "boost": "1e-3", "sticker": ""}


@pytest.mark.parametrize("value, shown", [
    (0.0003, "3e-4"), (0.001, "1e-3"), (0.00125, "1.25e-3"), (0.05, "0.05"), (0.1, "0.1"), (1.0, "1"),
    (10_000, "10,000"), (10_000.0, "10,000"),
    (0, "0"), (0.0, "0"), (-0.5, "-0.5"), (2.6667, "2.6667"), (1e-5, "1e-5"), (math.inf, "inf"), (1e300, "1e+300"),
    (-0.002, "-2e-3"),
])
def test_numbers_as_people_write_them(value, shown):
    assert show(value) == shown
