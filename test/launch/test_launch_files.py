"""The launch files: their names agree with each other everywhere; with launch_ros installed, what they start."""

import ast
import importlib.util
import os
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", None) == name]


def declared(path: Path) -> dict[str, ast.Call]:
    """Name and call of every DeclareLaunchArgument in a file."""
    return {
        ast.literal_eval(c.args[0]): c for c in calls(ast.parse(path.read_text()), "DeclareLaunchArgument")
    }


def subscripts(tree: ast.AST, variable: str) -> set[str]:
    return {
        n.slice.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Subscript)
        and getattr(n.value, "id", None) == variable
        and isinstance(n.slice, ast.Constant)
    }


def test_files_are_those_of_the_design():
    assert [path.name for path in FILES] == ["motionseg.launch.py", "replay.launch.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path):
    for name, call in declared(path).items():
        keywords = {k.arg: k.value for k in call.keywords}
        assert "description" in keywords, name
        assert ast.literal_eval(keywords["description"]).endswith("."), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_that_is_read_is_declared(path):
    tree = ast.parse(path.read_text())
    read = {
        c.args[0].value for c in calls(tree, "LaunchConfiguration") if isinstance(c.args[0], ast.Constant)
    }
    read |= subscripts(tree, "argument")
    assert read
    assert read <= declared(path).keys()


def test_replay_passes_on_arguments_that_exist():
    tree = ast.parse((ROOT / "launch" / "replay.launch.py").read_text())
    (include,) = calls(tree, "IncludeLaunchDescription")
    (passed,) = [n for n in ast.walk(include) if isinstance(n, ast.Dict)]
    assert {key.value for key in passed.keys} <= declared(ROOT / "launch" / "motionseg.launch.py").keys()


def test_rviz_shows_topics_that_the_launch_file_remaps():
    configuration = yaml.safe_load((ROOT / "rviz" / "motionseg.rviz").read_text())
    displays = configuration["Visualization Manager"]["Displays"]
    assert {d["Topic"]["Value"] for d in displays} == {"/image", "/motionseg/overlay", "/motionseg/labels"}


class TestWithLaunch:
    """Needs ROS's launch and launch_ros, which are not on PyPI."""

    @pytest.fixture
    def start(self, monkeypatch):
        """Starts motionseg.launch.py on paper: its nodes' full command lines for given arguments."""
        # launch_ros first: without ROS, our own launch folder may pass for `launch`.
        pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS installation")
        launch = pytest.importorskip("launch", reason="launch comes with a ROS installation")
        # `launch` changes the process's environment itself.
        for variable in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)
        spec = importlib.util.spec_from_file_location(
            "motionseg_launch", ROOT / "launch" / "motionseg.launch.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

        def run(**arguments: str):
            context = launch.LaunchContext()
            context.launch_configurations.update(arguments)
            for argument in module.ARGUMENTS:
                argument.visit(context)
            return context, module.start(context)

        return run

    def test_one_node_by_default(self, start):
        _, nodes = start()
        assert [(n.node_package, n.node_executable) for n in nodes] == [("motionseg_ros", "node")]

    def test_rviz_on_request(self, start):
        _, nodes = start(rviz="true")
        assert [n.node_executable for n in nodes] == ["node", "rviz2"]

    def test_remappings_and_parameters(self, start):
        context, (node,) = start(image="/camera/image_raw", namespace="front", image_transport="compressed")
        node._perform_substitutions(context)
        assert ("image", "/camera/image_raw") in node.expanded_remapping_rules
        assert node.node_name == "/front/motionseg"
        ((file, is_file),) = node._Node__expanded_parameter_arguments
        assert is_file
        assert yaml.safe_load(Path(file).read_text())["/front/motionseg"]["ros__parameters"] == {
            "config": "cpu",
            "autostart": True,
            "use_sim_time": False,
            "node.image_transport": "compressed",
        }

    @pytest.mark.parametrize(
        ("image", "camera_info", "remapped"),
        [
            ("/camera/color/image_raw", "", "/camera/color/camera_info"),
            ("image", "", "camera_info"),
            ("/camera/color/image_raw", "/info", "/info"),
        ],
    )
    def test_a_depth_camera(self, start, image, camera_info, remapped):
        context, (node,) = start(image=image, depth="/camera/depth/image", camera_info=camera_info)
        node._perform_substitutions(context)
        assert ("depth", "/camera/depth/image") in node.expanded_remapping_rules
        assert ("camera_info", remapped) in node.expanded_remapping_rules
        ((file, _),) = node._Node__expanded_parameter_arguments
        (values,) = yaml.safe_load(Path(file).read_text()).values()
        assert values["ros__parameters"]["depth.name"] == "sensor"

    def test_fast_dds_profile_unless_the_user_has_one(self, start, monkeypatch):
        start()
        assert Path(os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
        for variable in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
            monkeypatch.setenv(variable, "/own.xml")
        start()
        assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/own.xml"

    @pytest.mark.parametrize(("argument", "value"), [("image_transport", "theora"), ("rviz", "maybe")])
    def test_bad_values_are_refused(self, start, argument, value):
        with pytest.raises(RuntimeError, match="Valid options are"):
            start(**{argument: value})
