"""The machinery of all converters: what is refused before anything is written, and what an interruption leaves."""

import argparse
import json
import os
import pickle
import weakref
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fastadasp.models.converting import ConversionError, Output, Precision, convert, open_source, problems
from fastadasp.models.converting.check import compact

RAN: list[str] = []


class _Code:
    """Pickles to a call of a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return RAN.append, ("ran",)


class _Shell:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo ran",)


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {f"layers.{n}.w": torch.randn(4, 6, generator=generator) for n in range(5)} | {"out": torch.ones(3)}


def outputs() -> list[Output]:
    turned = [Output(f"model.{n}.weight", (6, 4), (f"layers.{n}.w",), torch.t) for n in range(5)]
    return [*turned, Output("head", (6,), ("out", "out"), lambda a, b: torch.cat((a, b)))]


def finish(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file as fairseq writes them: weights under `model`, settings of the training run beside them."""
    path = tmp_path / "final.pt"
    torch.save({"args": None, "cfg": {"lr": 1e-4}, "model": tensors()}, path)
    return path


def test_a_checkpoint_is_converted_tensor_by_tensor_into_shards(file: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = open_source(file, within="model")
    convert(
        source,
        outputs(),
        tmp_path / "out",
        recipe="r 1",
        finish=finish,
        shard_bytes=200,
        progress=lambda done, total: told.append((done, total)),
    )
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 5 * 96 + 24
    assert told == [(192, 504), (384, 504), (504, 504)]
    read = {}
    for name in set(index["weight_map"].values()):
        read |= load_file(tmp_path / "out" / name)
    assert set(read) == set(index["weight_map"]) == {output.name for output in outputs()}
    for number in range(5):
        assert torch.equal(read[f"model.{number}.weight"], tensors()[f"layers.{number}.w"].T)
    assert torch.equal(read["head"], torch.ones(6))


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [(Precision.keep, torch.float16), (Precision.bfloat16, torch.bfloat16), (Precision.float32, torch.float32)],
)
def test_numbers_are_written_as_asked_for(precision: Precision, dtype: torch.dtype, tmp_path: Path) -> None:
    torch.save({key: value.half() for key, value in tensors().items()}, tmp_path / "a.pt")
    convert(open_source(tmp_path / "a.pt"), outputs(), tmp_path / "out", recipe="r", finish=finish, precision=precision)
    (file,) = (tmp_path / "out").glob("*.safetensors")
    assert {value.dtype for value in load_file(file).values()} == {dtype}


def test_settings_of_a_training_run_are_skipped_without_importing_what_they_name(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    run = {
        "args": argparse.Namespace(lr=1.0),
        "cfg": OmegaConf.create({"task": {"name": "x", "sizes": [1, 2]}}),
        "best": np.float64(3.5),
        "model": tensors(),
    }
    torch.save(run, tmp_path / "a.pt")
    assert set(open_source(tmp_path / "a.pt", within="model").tensors) == set(tensors())


@pytest.mark.parametrize("code", [_Code(), _Shell()])
@pytest.mark.parametrize("where", ["model", "beside"])
def test_a_pickle_with_code_in_it_is_refused_and_the_code_does_not_run(
    code: object, where: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content: dict[str, object] = {"model": {**tensors(), "x": code}} if where == "model" else {"model": {}, "x": code}
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ConversionError, match=r"a\.pt names code to run when it is read: (builtins|posix|nt)\."):
        open_source(tmp_path / "a.pt", within="model")
    assert not RAN
    assert "ran" not in capfd.readouterr().out


@pytest.mark.parametrize("protocol", range(2, 6))
def test_code_hidden_behind_other_opcodes_is_refused_too(protocol: int, file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(tmp_path / "bad.pt", "w") as bad:
        for name in good.namelist():
            replaced = name.endswith("data.pkl")
            bad.writestr(name, pickle.dumps({"model": _Shell()}, protocol) if replaced else good.read(name))
    with pytest.raises(ConversionError, match=r"bad\.pt"):
        open_source(tmp_path / "bad.pt", within="model")


def test_files_that_are_no_checkpoint_say_why(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"none\.pt does not exist; ask its authors"):
        open_source(tmp_path / "none.pt", advice="ask its authors")
    whole = file.read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConversionError, match=r"cut\.pt is cut off \(\d+ bytes\); download it again"):
        open_source(tmp_path / "cut.pt", within="model")
    torch.save({"model": {}}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ConversionError, match=r"old\.pt is no file of torch\.save, or one of before torch 1\.6"):
        open_source(tmp_path / "old.pt", within="model")
    with pytest.raises(ConversionError, match=r"has no entry 'state' \(it holds: args, cfg, model\)"):
        open_source(file, within="state")
    torch.save({"model": {"a": torch.ones(2), "b": 3, "c": torch.eye(2).to_sparse()}}, tmp_path / "mixed.pt")
    with pytest.raises(ConversionError, match=r"not plain tensors: b \(int\), c \(Tensor\)"):
        open_source(tmp_path / "mixed.pt", within="model")


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.float64, torch.float8_e4m3fn])
def test_numbers_in_a_format_that_was_never_published_are_refused_in_both_kinds_of_file(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    changed = {**tensors(), "out": torch.ones(3).to(dtype)}
    torch.save({"model": changed}, tmp_path / "other.pt")
    save_file(changed, tmp_path / "other.safetensors")
    for name, within in (("other.pt", "model"), ("other.safetensors", None)):
        with pytest.raises(ConversionError, match=rf"must be float32, bfloat16 or float16.*: out \({dtype}\); it is a"):
            open_source(tmp_path / name, within=within)


def test_a_folder_of_shards_is_read_through_its_index(tmp_path: Path) -> None:
    everything = tensors()
    parts = dict(list(everything.items())[:3]), dict(list(everything.items())[3:])
    folders = {name: tmp_path / name for name in ("safe", "pickled")}
    for folder in folders.values():
        folder.mkdir()
    for number, part in enumerate(parts):
        save_file(part, folders["safe"] / f"model-{number}.safetensors")
        torch.save(part, folders["pickled"] / f"part-{number}.bin")
    for folder, index, name in (
        (folders["safe"], "model.safetensors.index.json", "model-{}.safetensors"),
        (folders["pickled"], "pytorch_model.bin.index.json", "part-{}.bin"),
    ):
        weight_map = {key: name.format(number) for number, part in enumerate(parts) for key in part}
        (folder / index).write_text(json.dumps({"weight_map": weight_map}))
        source = open_source(folder)
        assert {key: stored.shape for key, stored in source.tensors.items()} == {
            key: tuple(value.shape) for key, value in everything.items()
        }
        for key, value in everything.items():
            assert torch.equal(source.tensors[key].read(), value)
    (folders["safe"] / "model-1.safetensors").unlink()
    with pytest.raises(ConversionError, match=r"lacks model-1\.safetensors, named by model\.safetensors\.index\.json"):
        open_source(folders["safe"])
    index = folders["pickled"] / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.bin"}}))
    with pytest.raises(ConversionError, match=r"names \.\./elsewhere\.bin, which is no file of the folder"):
        open_source(folders["pickled"])
    with pytest.raises(ConversionError, match=r"holds no weights \(none of .*\); see the docs"):
        open_source(tmp_path, advice="see the docs")


def test_all_differences_of_keys_and_shapes_are_told_at_once(file: Path) -> None:
    expected = {f"layers.{n}.w": (4, 6) for n in range(8)} | {"out": (4,), "norm": (3,)}
    source = open_source(file, within="model")
    assert problems(source, {f"layers.{n}.w": (4, 6) for n in range(5)}, {"out": (3,)}) == []
    assert problems(source, expected) == ["4 missing: layers.{5-7}.w, norm", "1 of another shape: out is 3, expected 4"]
    assert problems(source, {"out": (3,)}) == ["5 unknown: layers.{0-4}.w"]


def test_keys_are_told_as_one_only_where_none_is_left_out() -> None:
    assert list(compact(["a.0.b.1", "a.0.b.2", "a.1.b.1", "a.1.b.2"])) == ["a.{0-1}.b.{1-2}"]
    assert list(compact(["a.0.b.1", "a.1.b.2"])) == ["a.0.b.1", "a.1.b.2"]
    assert list(compact(["a.3", "a.5", "b"])) == ["a.{3,5}", "b"]


class _Killed(BaseException):
    """What ends a process from outside."""


def test_an_interrupted_conversion_goes_on_and_nothing_of_it_is_taken_for_whole(file: Path, tmp_path: Path) -> None:
    source, out = open_source(file, within="model"), tmp_path / "out"

    def interrupted(after: int) -> Iterator[int]:
        def progress(done: int, total: int) -> None:
            if done == after:
                raise _Killed

        with pytest.raises(_Killed):
            convert(source, outputs(), out, recipe="r", finish=finish, shard_bytes=100, progress=progress)
        yield from sorted(path.stat().st_mtime_ns for path in out.glob("model-*.safetensors"))

    first = list(interrupted(after=2 * 96))
    assert len(first) == 2
    assert not (out / "config.json").exists()
    (out / "model-00003-of-00006.safetensors.part").write_bytes(b"half of a shard")
    (out / "model-00004-of-00006.safetensors").write_bytes(b"not of this conversion")
    second = list(interrupted(after=4 * 96))
    assert second[:2] == first, "finished shards are kept"
    convert(source, outputs(), out, recipe="r", finish=finish, shard_bytes=100)
    convert(source, outputs(), tmp_path / "at once", recipe="r", finish=finish, shard_bytes=100)
    names = sorted(path.name for path in (tmp_path / "at once").iterdir())
    assert names == sorted(path.name for path in out.iterdir())
    for name in names:
        resumed, unbroken = out / name, tmp_path / "at once" / name
        if name.endswith("safetensors"):
            expected = load_file(unbroken)
            assert {key: value.tolist() for key, value in load_file(resumed).items()} == {
                key: value.tolist() for key, value in expected.items()
            }
        else:
            assert resumed.read_bytes() == unbroken.read_bytes()


def test_a_finished_folder_is_left_alone_and_another_conversion_does_not_enter_it(file: Path, tmp_path: Path) -> None:
    source, out = open_source(file, within="model"), tmp_path / "out"
    convert(source, outputs(), out, recipe="r", finish=finish)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    convert(source, outputs(), out, recipe="r", finish=finish)
    assert before == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    with pytest.raises(ConversionError, match="out holds another conversion than that of"):
        convert(source, outputs(), out, recipe="r", finish=finish, precision=Precision.bfloat16)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ConversionError, match=r"holds other files \(notes\.txt"):
        convert(source, outputs(), tmp_path / "full", recipe="r", finish=finish)
    assert [path.name for path in (tmp_path / "full").iterdir() if path.name != ".lock"] == ["notes.txt"]


def test_numbers_that_are_not_finite_or_too_large_are_named(tmp_path: Path) -> None:
    torch.save({**tensors(), "out": torch.tensor([1.0, torch.nan, 0.0])}, tmp_path / "nan.pt")
    with pytest.raises(ConversionError, match="out holds numbers that are not finite; the checkpoint is damaged"):
        convert(open_source(tmp_path / "nan.pt"), outputs(), tmp_path / "a", recipe="r", finish=finish)
    torch.save({**tensors(), "out": torch.full((3,), 1e6)}, tmp_path / "large.pt")
    half = {"recipe": "r", "finish": finish, "precision": Precision.float16}
    with pytest.raises(ConversionError, match=r"numbers of out, out are too large for torch\.float16"):
        convert(open_source(tmp_path / "large.pt"), outputs(), tmp_path / "b", **half)
    assert not list(tmp_path.glob("[ab]/config.json"))


def test_a_folder_that_cannot_be_written_is_one_sentence(file: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConversionError, match="taken cannot be written"):
        convert(open_source(file, within="model"), outputs(), tmp_path / "taken", recipe="r", finish=finish)


def test_no_more_than_a_shard_is_ever_held_and_the_checkpoint_stays_on_disk(tmp_path: Path) -> None:
    torch.save({str(number): torch.ones(64, 64) for number in range(40)}, tmp_path / "large.pt")
    alive: set[int] = set()
    most = 0

    def made(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal most
        copy = tensor.clone()
        alive.add(id(copy))
        weakref.finalize(copy, alive.discard, id(copy))
        most = max(most, len(alive))
        return copy

    source = open_source(tmp_path / "large.pt")
    content = (tmp_path / "large.pt").read_bytes()
    with (tmp_path / "large.pt").open("r+b") as file:  # in place: what was read before would not change
        file.write(content.replace(np.float32(1).tobytes(), np.float32(2).tobytes()))
    assert all(bool((stored.read() == 2).all()) for stored in source.tensors.values())
    several = [Output(f"n{key}", (64, 64), (key,), made) for key in source.tensors]
    convert(source, several, tmp_path / "out", recipe="r", finish=finish, shard_bytes=4 * 64 * 64 * 4)
    assert 4 <= most <= 5, "a shard, and at most the first tensor of the next"
