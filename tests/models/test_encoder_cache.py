"""Encoder outputs from the disk are those that the encoder gives, whatever has happened to the files."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from fastadasp.engine.encoder import find_encoder
from fastadasp.models.embedding import prompt_embeddings
from fastadasp.models.encoder_cache import EncoderCache, attach, attached
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.tasks.base import Example


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Qwen2AudioRandom:
    monkeypatch.setenv("FASTADASP_CACHE", str(tmp_path / "cache"))
    made = Qwen2AudioRandom(layers=2, hidden=16, intermediate=32, encoder_layers=1, mels=16)
    made.load(device="cpu", dtype="float32", attention="sdpa")
    return made


def inputs(adapter: Qwen2AudioRandom, manifest: Path, *chosen: int) -> Any:
    folder = manifest.parent
    examples = [Example(str(n), (folder / f"{n}.wav",), "Write.", "", seconds=n * 0.2) for n in chosen]
    return adapter.encode([adapter.prepare(example) for example in examples])


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "encoder").glob("*/*"))


def test_known_clips_are_read_from_the_disk_in_any_batch(
    adapter: Qwen2AudioRandom, tones: Path, tmp_path: Path
) -> None:
    expected = prompt_embeddings(adapter.model, inputs(adapter, tones, 1, 3, 5))
    cache = attach(adapter.model, 1.0)
    assert cache is not None and attach(adapter.model, 1.0) is cache is attached(adapter.model)
    prompt_embeddings(adapter.model, inputs(adapter, tones, 1, 2, 3))
    assert (cache.asked, cache.found, len(entries(tmp_path))) == (3, 0, 3)
    got = prompt_embeddings(adapter.model, inputs(adapter, tones, 1, 3, 5))
    assert (cache.asked, cache.found, len(entries(tmp_path))) == (6, 2, 4)
    torch.testing.assert_close(got, expected)
    again = prompt_embeddings(adapter.model, inputs(adapter, tones, 1, 3, 5))
    assert cache.found == 5 and torch.equal(again, got)


def test_a_damaged_entry_is_made_again(adapter: Qwen2AudioRandom, tones: Path, tmp_path: Path) -> None:
    cache = attach(adapter.model, 1.0)
    assert cache is not None
    batch = inputs(adapter, tones, 2, 4)
    expected = prompt_embeddings(adapter.model, batch)
    whole = [file.read_bytes() for file in entries(tmp_path)]
    for damaged in (b"", b"x", whole[0][:-1], bytes([*whole[0][:50], whole[0][50] ^ 1, *whole[0][51:]]), whole[1]):
        entries(tmp_path)[0].write_bytes(damaged if damaged != whole[1] else whole[0][::-1])
        found = cache.found
        torch.testing.assert_close(prompt_embeddings(adapter.model, batch), expected)
        assert cache.found == found + 1
        assert [file.read_bytes() for file in entries(tmp_path)] == whole


def test_another_encoder_finds_nothing(adapter: Qwen2AudioRandom, tones: Path, tmp_path: Path) -> None:
    attach(adapter.model, 1.0)
    prompt_embeddings(adapter.model, inputs(adapter, tones, 1))
    for change in ({"weight_seed": 1}, {"encoder_layers": 2}):
        settings = {"layers": 2, "hidden": 16, "intermediate": 32, "encoder_layers": 1, "mels": 16, **change}
        other = Qwen2AudioRandom(**settings)
        other.load(device="cpu", dtype="float32", attention="sdpa")
        cache = attach(other.model, 1.0)
        prompt_embeddings(other.model, inputs(other, tones, 1))
        assert cache is not None and cache.found == 0
    assert len(entries(tmp_path)) == 3


def test_the_folder_never_holds_more_than_it_may_and_the_oldest_goes(
    adapter: Qwen2AudioRandom, tones: Path, tmp_path: Path
) -> None:
    encoder = find_encoder(adapter.model)
    size = 4000
    cache = EncoderCache(encoder, tmp_path / "cache" / "encoder", limit=20 * size)
    for number in range(60):
        key = f"{number:032x}"
        cache._write(key, torch.full((size // 16, 4), float(number)) + torch.arange(size // 16)[:, None])
        file = cache._file(key)
        os.utime(file, (number + 1e9, number + 1e9))
        if number % 10 == 9:
            assert cache._read("0" * 32) is not None, "what is used stays"
    kept = entries(tmp_path)
    assert sum(file.stat().st_size for file in kept) <= cache.limit * 1.1
    names = {int(file.name, 16) for file in kept}
    assert 0 in names and max(names) == 59 and names - {0} == set(range(min(names - {0}), 60))


def test_what_cannot_be_written_is_computed(adapter: Qwen2AudioRandom, tones: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    attach(adapter.model, 1.0)
    batch = inputs(adapter, tones, 1)
    assert torch.equal(prompt_embeddings(adapter.model, batch), prompt_embeddings(adapter.model, batch))


def test_what_decides_about_padding_sees_the_encoder_compute(
    adapter: Qwen2AudioRandom, tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that hears its padding must not count as proven because a memory has answered the second time."""
    attach(adapter.model, 1.0)
    free = replace(adapter)
    free.load(device="cpu", dtype="float32", attention="sdpa")
    batch = inputs(adapter, tones, 1, 2)
    for model in (adapter.model, free.model):
        encoder = find_encoder(model)
        assert encoder is not None
        monkeypatch.setattr(encoder.conv1, "forward", partial(hears_all, encoder.conv1.forward))
    torch.testing.assert_close(prompt_embeddings(adapter.model, batch), prompt_embeddings(free.model, batch))


def hears_all(forward: Callable[[torch.Tensor], torch.Tensor], features_CMF: torch.Tensor) -> torch.Tensor:
    """A convolution whose output tells how much padding there is."""
    return forward(features_CMF) + features_CMF.shape[2] / 1000
