"""docs/models.md: its table is what the configurations give, and has a row for each model."""

import pytest
import transformers

from experiments.tools.documents import between
from experiments.tools.speech_models import DOCUMENT, ROWS, size, stored, table
from fastadasp.config.paths import options
from tests.models.test_every_family import IN_TESTS
from tests.models.test_speech_families import PER_SECOND


def test_the_table_and_the_raw_sizes_are_current() -> None:
    transformers.logging.set_verbosity_error()
    sizes = {row.kind: size(row) for row in ROWS}
    assert sizes == stored(), "run python -m experiments.tools.speech_models"
    text = DOCUMENT.read_text(encoding="utf-8")
    assert between(text, "models", table(sizes)) == text, "run python -m experiments.tools.speech_models"


def test_each_model_has_a_row_with_the_rate_that_its_tests_measure() -> None:
    rates = {option: row.rate for row in ROWS for option in row.options}
    assert set(rates) == {name for name in options("model") if name != "hf" and "_random" not in name}
    for option, family in IN_TESTS.items():
        assert rates[option] == pytest.approx(PER_SECOND[family])
