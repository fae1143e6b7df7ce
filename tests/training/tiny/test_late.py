"""Tokens that enter at a middle layer: they lie where the passage was, and the CTC head there reads them."""

import random
from pathlib import Path

import torch
from torch import nn

from experiments.training.tiny.batches import IGNORED, Rows, collate
from experiments.training.tiny.items import Item
from experiments.training.tiny.late import LateTokens
from experiments.training.tiny.network import DecoderSize, make_network
from experiments.training.tiny.prompts import MOST_STRETCH, Lesson, Turn, draw_lesson
from experiments.training.tiny.vocabulary import make_processor, train_tokenizer

PASSAGE = "the cat sat on the mat"
PROCESSOR = make_processor(train_tokenizer([PASSAGE, "where was it?"] * 8, 300))
LESSON = Lesson((Turn("where was it?", "on the mat"),), passage=PASSAGE, stretch=3)


def test_a_stretched_passage_is_hidden_from_the_first_layers_and_not_to_be_foretold() -> None:
    rows = Rows(PROCESSOR.tokenizer)
    row = rows(Item(Path(), "sqa", {}, ()), LESSON)
    plain = rows(Item(Path(), "sqa", {}, ()), Lesson(LESSON.turns, passage=PASSAGE))
    places = [i for i, token in enumerate(row.late) if token != IGNORED]
    assert {row.ids[i] for i in places} == {rows.pad}
    assert {row.read[i] for i in places} == {IGNORED}
    seen = [token if late == IGNORED else late for token, late in zip(row.ids, row.late, strict=True)]
    assert len(seen) > len(plain.ids)
    assert [token for token in seen if token != rows.pad] == plain.ids
    assert plain.late == [IGNORED] * len(plain.ids)


def test_only_text_is_stretched_and_mostly() -> None:
    fields = {"text": PASSAGE, "question": "where?", "choices": list("abcd"), "answer": "A"}
    written = [draw_lesson(Item(Path(), "sqa", fields, ()), random.Random(seed)) for seed in range(100)]
    spoken = [draw_lesson(Item(Path(), "sqa", fields, ((0, 9),)), random.Random(seed)) for seed in range(100)]
    assert {lesson.stretch for lesson in written} == set(range(MOST_STRETCH + 1))
    assert {lesson.stretch for lesson in spoken} == {0}


def test_the_head_reads_late_tokens_at_their_layer_and_other_rows_stay_as_they_are() -> None:
    torch.manual_seed(0)
    network = make_network(DecoderSize(layers=2, hidden=64, intermediate=48, heads=2), PROCESSOR.tokenizer, None).eval()
    decoder = network.model.language_model
    nn.init.normal_(network.lm_head.weight, std=0.02)  # the pad's row is zero before training
    rows = Rows(PROCESSOR.tokenizer)
    other = Lesson((Turn("where?", "on the mat"),), passage=PASSAGE)
    batch = collate([rows(Item(Path(), "sqa", {}, ()), lesson) for lesson in (LESSON, other)], rows.audio, 0, 0, None)
    before = decoder(input_ids=batch.ids_BT, output_hidden_states=True)
    entered: list[torch.Tensor] = []
    late = LateTokens()
    late.length = 1e4  # far beyond what the layer before left there
    late.enter(decoder.layers[1])
    decoder.layers[1].register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    late.set(network, batch.late_BT)
    after = decoder(input_ids=batch.ids_BT)
    chosen_BT = batch.late_BT != IGNORED
    with torch.no_grad():
        read = network.lm_head(decoder.norm(entered[0][chosen_BT])).argmax(-1)
    assert torch.equal(read, batch.late_BT[chosen_BT])
    assert torch.equal(entered[0][~chosen_BT], before.hidden_states[1][~chosen_BT])
    torch.testing.assert_close(after.last_hidden_state[1], before.last_hidden_state[1])
    assert not torch.allclose(after.last_hidden_state[0, -1], before.last_hidden_state[0, -1])
