"""Golden values of the entropy, and each measure against its definition written out."""

from math import e, log, pi

import numpy as np
import pytest
import torch

from fastadasp.selection.entropy import Features, divergence, evenness


def entropy(*parts: torch.Tensor) -> float:
    features = Features()
    for part in parts:
        features.add(part)
    return features.entropy


def test_a_gaussian_of_deviation_two() -> None:
    assert entropy(torch.tensor([[-2.0], [2.0]])) == pytest.approx(2.11209, abs=2e-5)


def test_scaling_all_channels_by_a_tenth_in_the_exponent_adds_a_tenth_each() -> None:
    features_ND = torch.randn(300, 16, generator=torch.Generator().manual_seed(0)) * 3 + 5
    assert entropy(features_ND * e**0.1) - entropy(features_ND) == pytest.approx(0.1 * 16, abs=1e-4)
    assert entropy(features_ND) - entropy(features_ND.clone()) == 0


def test_batches_add_up_to_the_whole_in_one_pass() -> None:
    features_ND = torch.randn(1000, 8, generator=torch.Generator().manual_seed(1)) * 0.01 + 1000
    deviation_D = features_ND.double().numpy().std(0)
    expected = float(np.log(deviation_D + 1e-6).sum() + 8 * 0.5 * np.log(2 * np.pi * np.e))
    parts = [features_ND[:1], features_ND[1:400], features_ND[400:400], features_ND[400:]]
    assert entropy(*parts) == pytest.approx(expected, abs=1e-9)


def test_a_channel_that_never_varies_is_finite_and_no_token_is_an_error() -> None:
    assert entropy(torch.ones(5, 1)) == pytest.approx(log(1e-6) + 0.5 * log(2 * pi * e))
    with pytest.raises(ValueError, match="no token"):
        entropy(torch.ones(0, 3))


def test_divergence_is_torchs() -> None:
    full, reduced = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(2)).unbind(0)
    expected = torch.nn.functional.kl_div(
        reduced.log_softmax(-1), full.log_softmax(-1), log_target=True, reduction="none"
    ).sum(-1)
    assert torch.allclose(divergence(full, reduced).float(), expected, atol=1e-5)
    assert divergence(full, full).abs().max() < 1e-12


def test_evenness_is_one_for_equal_weights_and_falls_with_concentration() -> None:
    counted = torch.tensor([[True] * 4, [True] * 4, [False, True, True, False], [False, False, True, False]])
    weight = torch.tensor([[3.0] * 4, [1.0, 0.0, 0.0, 0.0], [9.0, 3.0, 1.0, 9.0], [9.0, 9.0, 1.0, 9.0]])
    third = -(0.75 * log(0.75) + 0.25 * log(0.25)) / log(2)
    assert evenness(weight, counted).tolist() == pytest.approx([1.0, 0.0, third, 1.0])
