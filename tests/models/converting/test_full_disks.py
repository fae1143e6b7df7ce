"""A conversion onto a disk that is, or gets, full."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from fastadasp.models.converting import ConversionError, convert, open_source
from tests.models.converting.test_converting import file, finish, outputs

__all__ = ["file"]  # a fixture


def test_a_disk_that_fills_up_is_one_sentence_and_the_same_command_goes_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastadasp.models.converting import folder

    source, out = open_source(file, within="model"), tmp_path / "out"
    written: list[Path] = []

    def filling(shard: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        if len(written) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        save_file(shard, path, metadata)

    with monkeypatch.context() as full, pytest.raises(ConversionError) as caught:
        full.setattr(folder, "save_file", filling)
        convert(source, outputs(), out, recipe="r", finish=finish, shard_bytes=100)
    assert "out cannot be written any further (No space left on device); what is finished stays" in str(caught.value)
    assert not (out / "config.json").exists()
    assert len(list(out.glob("model-*.safetensors"))) == 2
    convert(source, outputs(), out, recipe="r", finish=finish, shard_bytes=100)
    assert (out / "config.json").exists()
    assert not list(out.glob("*.part"))


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(ConversionError, match=r"out needs .* GB more, 1e-07 GB are free; make room"):
        convert(open_source(file, within="model"), outputs(), tmp_path / "out", recipe="r", finish=finish)
    assert not list((tmp_path / "out").glob("model*"))
