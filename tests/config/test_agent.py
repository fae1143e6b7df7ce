"""A point reaches the config by every spelling that W&B's agents have, each made here by the agent's own code."""

import json
from pathlib import Path
from typing import Any

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from fastadasp.config.agent import POINT_FILE, from_agent
from fastadasp.config.compose import compose
from fastadasp.errors import ConfigError

SPELLINGS = ("args", "args_no_equals", "args_no_hyphens", "args_override_hydra", "args_json", "args_json_file",
             "args_no_boolean_flags")  # fmt: skip
POINTS: list[dict[str, Any]] = [
    {"merge": "frame", "merge.ratio": 0.25, "seed": 3},
    {"merge": {"layer": 3, "ratio": 0.2}},
    {"merge.proportional": True, "merge.threshold": None, "merge.ratio": 1e-05},
    {"merge": {"ratio": 0.3, "threshold": None, "proportional": False}, "hardware": {"trainer": {"devices": 2}}},
    {"hardware.trainer": {"devices": [0, 1], "num_nodes": 1}},
    {"task.instruction": "Write, word by word: what is (not) said?", "merge.layer": 2.0},
]


def written(spelling: str, point: dict[str, Any], folder: Path) -> list[str]:
    """The words of an agent, and the file of its point where the agent puts it."""
    import yaml

    args = {key: {"value": value} for key, value in point.items()}
    (folder / "point.yaml").write_text(yaml.safe_dump({"wandb_version": 1, **args}))
    words = create_sweep_command_args({"args": args})
    if spelling == "args_json_file":
        (folder / "point.json").write_text(words["args_json"][0])
        return [str(folder / "point.json")]
    return list(words[spelling])


def wanted(point: dict[str, Any]) -> dict[str, Any]:
    """Single values by their keys."""
    found: dict[str, Any] = {}
    for key, value in point.items():
        found |= (
            {f"{key}.{name}": one for name, one in wanted(value).items()} if isinstance(value, dict) else {key: value}
        )
    return found


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(point))
def test_every_spelling_of_a_point_gives_its_values(
    spelling: str, point: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = written(spelling, point, tmp_path)
    monkeypatch.setenv(POINT_FILE, str(tmp_path / "point.yaml"))
    method = [] if isinstance(point.get("merge"), str) else ["merge=blend"]
    cfg = compose("task=asr", *method, *from_agent(words), hydra=True)
    for key, value in wanted(point).items():
        if key == "merge":
            assert cfg.hydra.runtime.choices.merge == value
            continue
        node = cfg
        for name in key.split("."):
            node = node[name]
        assert node == value and (isinstance(value, bool) == isinstance(node, bool))


def test_words_that_people_write_stay_as_they_are() -> None:
    words = ["-m", "--cfg", "job", "--config-name=config", "--multirun", "--help", "task=asr,st", "merge.ratio=0.1,0.3",
             "~merge.layer", "+merge.ratio=0.2", "model.options={a:1,b:[x,null]}", "hydra.run.dir=a=b", "--info=all",
             "task.instruction='a, b'", "--resolve", "++hardware.trainer.devices=[1,3]"]  # fmt: skip
    assert from_agent(words) == words
    assert from_agent(["--halp", "merge"]) == ["--halp", "merge"]


def test_a_dict_below_a_key_with_a_dot_stays_one_and_lists_keep_none() -> None:
    assert from_agent(["model.options={'a': {'b': None}}"]) == ["model.options={a:{b:null}}"]
    assert from_agent(["--merge.layers=[1, None, 'a b', True]"]) == ['merge.layers=[1,null,"a b",true]']
    assert from_agent(["merge={}"]) == ["merge={}"]


def test_json_that_holds_no_settings_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps([1]))
    for word, message in (
        ("{merge", "is no JSON of settings"),
        (str(tmp_path / "none.json"), r"none\.json stands where settings stand"),
        (str(tmp_path / "list.json"), r"list\.json holds no settings"),
    ):
        with pytest.raises(ConfigError, match=message):
            from_agent([word])
