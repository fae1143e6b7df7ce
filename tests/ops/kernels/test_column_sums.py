"""The Triton kernels against column sums of the whole matrix in float64; on a CPU in the interpreter (see conftest)."""

import warnings

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from fastadasp.ops import kernels
from fastadasp.ops.attention import attention_received_by_group
from fastadasp.ops.log_sum_exp import LogSumExpTap

column_sums = pytest.importorskip("fastadasp.ops.kernels.column_sums", exc_type=ImportError).column_sums
ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
SMALL = torch.randn(1, 2, 40, 16), torch.randn(1, 2, 40, 16), slice(5, 30), None, 0.3
MODULE = "fastadasp.ops.kernels.column_sums"
# The interpreter cannot multiply bfloat16.
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if ON_GPU else [])]


def expected(
    queries: Tensor, keys: Tensor, columns: slice, real: Tensor | None, scaling: float
) -> tuple[Tensor, Tensor]:
    """(B, G, N) sums from (B, H, T, T) probabilities, and (B, H, T) log-sum-exp, in float64."""
    length, groups = queries.shape[2], keys.shape[1]
    keys = keys.double().repeat_interleave(queries.shape[1] // keys.shape[1], 1)
    visible = torch.ones(length, length, dtype=torch.bool, device=keys.device).tril()[None, None]
    if real is not None:
        visible = visible & real[:, None, None]
    scores = (queries.double() @ keys.mT * scaling).masked_fill(~visible, torch.finfo(torch.float64).min)
    probabilities = scores.softmax(-1)
    if real is not None:
        probabilities = probabilities * real[:, None, :, None]
    return probabilities[..., columns].unflatten(1, (groups, -1)).sum((2, 3)), scores.logsumexp(-1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("heads", "kv_heads", "length", "channels", "padding", "columns"),
    [
        (2, 2, 100, 32, None, slice(11, 90)),
        (4, 2, 150, 20, (0, 70), slice(80, 150)),  # grouped heads, a width that is no power of two, up to the end
        (3, 1, 64, 64, (5, 0), slice(0, 64)),  # exactly one tile
        (1, 1, 70, 16, (66, 3), slice(66, 69)),  # a row whose padding fills the first tile
    ],
)
def test_sums_equal_those_of_the_whole_matrix(
    dtype: torch.dtype,
    heads: int,
    kv_heads: int,
    length: int,
    channels: int,
    padding: tuple[int, ...] | None,
    columns: slice,
) -> None:
    torch.manual_seed(0)
    rows = 1 if padding is None else len(padding)
    queries = 2 * torch.randn(rows, length, heads, channels, device=DEVICE).transpose(1, 2).to(dtype)
    keys = torch.randn(rows, length, kv_heads, channels, device=DEVICE).transpose(1, 2).to(dtype)
    real = None
    if padding is not None:
        real = torch.arange(length, device=DEVICE) >= torch.tensor(padding, device=DEVICE)[:, None]
    whole, lse = expected(queries, keys, columns, real, channels**-0.5)
    rounded_up = torch.nn.functional.pad(lse.float(), (0, 5))  # as some kernels tell it: no dense rows
    for told in (None, rounded_up[..., :length]):
        sums = column_sums(queries, keys, columns, real, channels**-0.5, told)
        assert sums.dtype == torch.float32
        torch.testing.assert_close(sums.double(), whole, atol=2e-5, rtol=2e-5)


def test_a_told_log_sum_exp_spares_the_first_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}._log_sum_exp_kernel", None)
    small = tuple(part.to(DEVICE) if isinstance(part, Tensor) else part for part in SMALL)
    whole, lse = expected(*small)
    torch.testing.assert_close(column_sums(*small, lse.float()).double(), whole, atol=2e-5, rtol=2e-5)


def test_sums_equal_those_of_plain_torch() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 4, 90, 32, device=DEVICE), torch.randn(2, 2, 90, 32, device=DEVICE)
    real = torch.arange(90, device=DEVICE) >= torch.tensor([[0], [20]], device=DEVICE)
    sums = column_sums(queries, keys, slice(25, 80), real, 0.2)
    plain = attention_received_by_group(queries.cpu(), keys.cpu(), slice(25, 80), real.cpu(), 0.2)
    torch.testing.assert_close(sums.cpu(), plain, atol=2e-5, rtol=2e-5)


def no_compiler(*_: object) -> Tensor:
    raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable")


def test_where_triton_cannot_compile_one_warning_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_usable", {})
    with monkeypatch.context() as patch:
        patch.setattr(f"{MODULE}.column_sums", no_compiler)
        with pytest.warns(UserWarning, match=r"float32 and 16 channels \(RuntimeError: Failed to find C compiler"):
            assert kernels.try_column_sums(*SMALL) is None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert kernels.try_column_sums(*SMALL) is None
        with pytest.warns(UserWarning, match="float16"):  # compiled anew, so tried anew
            assert kernels.try_column_sums(SMALL[0].half(), SMALL[1].half(), *SMALL[2:]) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernels.try_column_sums(*SMALL) is None  # it is not tried again


def test_errors_of_a_kernel_that_has_worked_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_usable", {})
    small = tuple(part.to(DEVICE) if isinstance(part, Tensor) else part for part in SMALL)
    assert torch.equal(kernels.try_column_sums(*small), column_sums(*small))
    monkeypatch.setattr(f"{MODULE}.column_sums", no_compiler)
    with pytest.raises(RuntimeError, match="C compiler"):
        kernels.try_column_sums(*small)


def test_lack_of_memory_is_no_lack_of_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(kernels, "_usable", {})
    monkeypatch.setattr(f"{MODULE}.column_sums", too_large)
    with pytest.raises(torch.OutOfMemoryError):
        kernels.try_column_sums(*SMALL)
    assert not kernels._usable


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_layer_on_the_second_gpu() -> None:
    small = tuple(part.to("cuda:1") if isinstance(part, Tensor) else part for part in SMALL)
    assert torch.cuda.current_device() == 0
    sums = column_sums(*small)
    assert sums.device.index == 1
    torch.testing.assert_close(sums.cpu(), attention_received_by_group(*SMALL), atol=2e-5, rtol=2e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="needs a CUDA device")
def test_long_bfloat16_prompts_on_a_gpu() -> None:
    torch.manual_seed(0)
    queries, keys = (torch.randn(1, 32, 3085, 128, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    sums = column_sums(queries, keys, slice(57, 3057), None, 128**-0.5)
    heads = [expected(queries[:, [h]], keys[:, [h]], slice(57, 3057), None, 128**-0.5) for h in range(32)]
    whole = torch.cat([sums for sums, _ in heads], 1)
    torch.testing.assert_close(sums.double(), whole, atol=1e-3, rtol=1e-4)
    with LogSumExpTap() as told:
        scaled_dot_product_attention(queries, keys, keys, is_causal=True)
    lse = told.lse_BHT(queries)
    assert lse is not None, "PyTorch's own kernel has told nothing"
    torch.testing.assert_close(lse.double(), torch.cat([lse for _, lse in heads], 1), atol=1e-3, rtol=1e-4)
    sums = column_sums(queries, keys, slice(57, 3057), None, 128**-0.5, lse)
    torch.testing.assert_close(sums.double(), whole, atol=1e-3, rtol=1e-3)
