"""The Triton kernels against column sums of the whole matrix in float64; on a CPU in the interpreter (see conftest)."""

import pytest
import torch
from torch import Tensor

from fastadasp.merge.attention import attention_received_by_group

column_sums = pytest.importorskip("fastadasp.merge.kernels.column_sums", exc_type=ImportError).column_sums
ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
# The interpreter cannot multiply bfloat16.
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if ON_GPU else [])]


def expected(queries: Tensor, keys: Tensor, columns: slice, real: Tensor | None, scaling: float) -> Tensor:
    """(B, G, N) float64, from (B, H, T, T) probabilities."""
    length, groups = queries.shape[2], keys.shape[1]
    keys = keys.double().repeat_interleave(queries.shape[1] // keys.shape[1], 1)
    visible = torch.ones(length, length, dtype=torch.bool, device=keys.device).tril()[None, None]
    if real is not None:
        visible = visible & real[:, None, None]
    scores = (queries.double() @ keys.mT * scaling).masked_fill(~visible, torch.finfo(torch.float64).min)
    probabilities = scores.softmax(-1)
    if real is not None:
        probabilities = probabilities * real[:, None, :, None]
    return probabilities[..., columns].unflatten(1, (groups, -1)).sum((2, 3))


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
    sums = column_sums(queries, keys, columns, real, channels**-0.5)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(
        sums.double(), expected(queries, keys, columns, real, channels**-0.5), atol=2e-5, rtol=2e-5
    )


def test_sums_equal_those_of_plain_torch() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 4, 90, 32, device=DEVICE), torch.randn(2, 2, 90, 32, device=DEVICE)
    real = torch.arange(90, device=DEVICE) >= torch.tensor([[0], [20]], device=DEVICE)
    sums = column_sums(queries, keys, slice(25, 80), real, 0.2)
    plain = attention_received_by_group(queries.cpu(), keys.cpu(), slice(25, 80), real.cpu(), 0.2)
    torch.testing.assert_close(sums.cpu(), plain, atol=2e-5, rtol=2e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="needs a CUDA device")
def test_long_bfloat16_prompts_on_a_gpu() -> None:
    torch.manual_seed(0)
    queries, keys = (torch.randn(1, 32, 3085, 128, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    sums = column_sums(queries, keys, slice(57, 3057), None, 128**-0.5)
    whole = torch.cat([expected(queries[:, [h]], keys[:, [h]], slice(57, 3057), None, 128**-0.5) for h in range(32)], 1)
    torch.testing.assert_close(sums.double(), whole, atol=1e-3, rtol=1e-4)
