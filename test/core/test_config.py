from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from motionseg_ros.core.config import COMMANDS_ONLY, FIXED, Config, option_names, options, set_nested
from motionseg_ros.core.errors import ConfigError

OPTIONS = list(options())
NUMBERS = [option for option in OPTIONS if option.type in (int, float)]
CHOICES = [option for option in OPTIONS if option.choices]


def by_name(option) -> str:
    return option.name


def value_of(config: Config, name: str) -> object:
    group, leaf = name.split(".")
    return getattr(getattr(config, group), leaf)


class TestOptions:
    def test_names_are_unique_and_dotted(self):
        names = option_names()
        assert len(set(names)) == len(names)
        assert all(name.count(".") == 1 for name in names)
        assert {"window.length", "window.stride", "tracker.name", "objects.max_objects"} <= set(names)

    def test_they_are_all_leaves_of_the_model(self):
        dumped = Config().model_dump()
        assert [f"{group}.{leaf}" for group in dumped for leaf in dumped[group]] == option_names()

    @pytest.mark.parametrize("option", OPTIONS, ids=by_name)
    def test_each_is_described_and_typed(self, option):
        assert option.description.endswith(".")
        assert "\n" not in option.description
        assert option.type in (int, float, str, bool)
        assert isinstance(option.default, option.type) or (
            option.type is float and isinstance(option.default, int)
        )

    @pytest.mark.parametrize("option", NUMBERS, ids=by_name)
    def test_numbers_have_both_bounds_and_a_default_between(self, option):
        assert option.minimum is not None
        assert option.maximum is not None
        assert option.minimum <= option.default <= option.maximum

    @pytest.mark.parametrize("option", CHOICES, ids=by_name)
    def test_choices_hold_the_default(self, option):
        assert option.default in option.choices

    @pytest.mark.parametrize("option", OPTIONS, ids=by_name)
    def test_defaults_are_those_of_the_model(self, option):
        assert value_of(Config(), option.name) == option.default


class TestRanges:
    @pytest.mark.parametrize("option", NUMBERS, ids=by_name)
    def test_what_lies_outside_is_refused_in_one_line_with_the_range(self, option):
        for bad in (option.minimum - 1, option.maximum + 1):
            with pytest.raises(ConfigError) as caught:
                Config().with_values({option.name: bad})
            message = str(caught.value)
            assert option.name in message
            assert f"allowed: {option.minimum} to {option.maximum}" in message
            assert "\n" not in message

    @pytest.mark.parametrize("option", CHOICES, ids=by_name)
    def test_other_words_are_refused_with_the_choices(self, option):
        with pytest.raises(
            ConfigError, match=f"{option.name} must be one of .*, but got 'nonesuch'"
        ) as caught:
            Config().with_values({option.name: "nonesuch"})
        assert all(choice in str(caught.value) for choice in option.choices)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, "many", None, [1], 1.5])
    def test_what_is_no_whole_number_is_refused(self, bad):
        with pytest.raises(ConfigError, match=r"window\.length: "):
            Config().with_values({"window.length": bad})

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_is_refused(self, bad):
        with pytest.raises(ConfigError, match=r"tracker\.max_round_trip: "):
            Config().with_values({"tracker.max_round_trip": bad})


class TestWithValues:
    def test_changes_only_what_is_named(self):
        before = Config()
        after = before.with_values({"window.stride": 5, "tracker.spacing": 20})
        assert (after.window.stride, after.tracker.spacing) == (5, 20)
        changed = {name for name in option_names() if value_of(before, name) != value_of(after, name)}
        assert changed == {"window.stride", "tracker.spacing"}
        assert before == Config()

    def test_no_values_change_nothing(self):
        assert Config().with_values({}) == Config()

    def test_earlier_changes_stay(self):
        config = Config().with_values({"window.stride": 5}).with_values({"tracker.spacing": 20})
        assert (config.window.stride, config.tracker.spacing) == (5, 20)

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("window.strid", "window.stride"),
            ("windows.length", "window.length"),
            ("tracker.spacin", "tracker.spacing"),
            ("objects.max_object", "objects.max_objects"),
        ],
    )
    def test_a_typing_error_gets_a_suggestion(self, name, nearest):
        with pytest.raises(
            ConfigError, match=f"^--set: unknown option '{name}'; did you mean .*{nearest}"
        ) as caught:
            Config().with_values({name: 1}, "--set")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["qqqqqqqqqq", "", "window", "window.stride.x", "."])
    def test_what_is_no_option_is_refused(self, name):
        with pytest.raises(ConfigError, match=f"unknown option '{name}'"):
            Config().with_values({name: 1})


class TestFromDict:
    def test_nothing_gives_the_defaults(self):
        assert Config.from_dict({}) == Config()

    def test_what_it_dumps_it_reads(self):
        config = Config().with_values({"window.stride": 3, "masker.edge": 9.0})
        assert Config.from_dict(config.model_dump()) == config

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                {"window": {"strid": 3}},
                r"^robot\.yaml: unknown option 'window\.strid'; did you mean window\.stride",
            ),
            ({"wndow": {"stride": 3}}, r"^robot\.yaml: unknown option 'wndow'"),
            ({"window": 3}, r"^robot\.yaml: window: .* but got 3"),
            ({"window": None}, r"^robot\.yaml: window: .* but got None"),
            ({"window": {"stride": 0}}, r"^robot\.yaml: window\.stride: .* but got 0 \(allowed: 1 to 64\)"),
            ({"tracker": {"name": "tapnext"}}, r"^robot\.yaml: tracker\.name must be one of .*lucas_kanade"),
        ],
    )
    def test_says_where_and_what_in_one_line(self, values, message):
        with pytest.raises(ConfigError, match=message) as caught:
            Config.from_dict(values, "robot.yaml")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("values", [[], "cpu", None, 3])
    def test_what_is_no_mapping_is_refused(self, values):
        with pytest.raises(ConfigError, match=r"^robot\.yaml: ") as caught:
            Config.from_dict(values, "robot.yaml")
        assert "\n" not in str(caught.value)


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        Config().window.stride = 5


def test_set_nested_makes_the_groups_it_needs():
    nested: dict[str, object] = {"window": {"length": 8}}
    set_nested(nested, "window.stride", 3)
    set_nested(nested, "tracker.spacing", 9)
    assert nested == {"window": {"length": 8, "stride": 3}, "tracker": {"spacing": 9}}


def test_lists_of_options_name_options_that_exist():
    assert set(FIXED) | set(COMMANDS_ONLY) <= set(option_names())
    assert not set(FIXED) & set(COMMANDS_ONLY)
