"""WavLLM's final.pt (fairseq, about 30 GB), with LLaMA's tokenizer.model beside it.

    fastadasp convert wavllm final.pt checkpoints/wavllm --precision bfloat16

The file is mapped and read tensor by tensor; no code in it is run. Memory is needed for one file of the result
(`--shard-gb`), not for the whole.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastadasp.models.converting import Precision
    from fastadasp.models.wavllm.configuration import WavLLMConfig

RECIPE = "wavllm 1"
"""The number is raised whenever the same file is converted into other weights: no folder of an older one goes on."""
TOKENIZER = "tokenizer.model"
_WHERE = (
    "its authors published it by WavLLM/download/download.sh of github.com/microsoft/SpeechT5; the address there was "
    "good until April 2025, so ask them for the present one"
)
_WHERE_TOKENIZER = (
    f"take {TOKENIZER} from WavLLM/wavllm/tokenizer/ of github.com/microsoft/SpeechT5 or from LLaMA-2 "
    "(meta-llama/Llama-2-7b-chat-hf), put it beside the checkpoint or name it with --tokenizer"
)


def main(arguments: Sequence[str]) -> None:
    """The command `fastadasp convert wavllm`."""
    from fastadasp.models.convert_command import shared_options, show_progress

    parser = argparse.ArgumentParser(
        prog="fastadasp convert wavllm", description="Convert the released WavLLM for model=wavllm."
    )
    shared_options(parser, checkpoint="the published file, final.pt")
    parser.add_argument("--tokenizer", type=Path, help=f"LLaMA's SentencePiece file (default: {TOKENIZER} beside it)")
    parser.add_argument("--config", type=Path, help="config.json of a WavLLM of other sizes than the published ones")
    parser.add_argument(
        "--normalize-waveform",
        action="store_true",
        help="give WavLM waveforms of zero mean and unit variance, which WavLM-base was not trained on",
    )
    given = parser.parse_args(arguments)
    from fastadasp.models.converting import Precision

    convert_wavllm(
        given.checkpoint,
        given.out,
        tokenizer=given.tokenizer,
        config=_read_config(given.config),
        normalize_waveform=given.normalize_waveform,
        precision=Precision[given.precision],
        shard_bytes=given.shard_bytes,
        progress=show_progress,
    )
    print(f"Done: fastadasp run model=wavllm model.path={given.out}")


def convert_wavllm(
    checkpoint: Path,
    out: Path,
    *,
    tokenizer: Path | None = None,
    config: "WavLLMConfig | None" = None,
    normalize_waveform: bool = False,
    precision: "Precision | None" = None,
    shard_bytes: int = 2 * 10**9,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the folder `out`, which `from_pretrained` reads, from the released fairseq file.

    tokenizer: LLaMA's SentencePiece file; None: `tokenizer.model` beside the checkpoint.
    config: of a model of other sizes; None: the published ones.
    precision: number format of the weights; None keeps the checkpoint's.

    Raises ConversionError that lists all that is wrong with the file's keys and shapes and with the tokenizer.
    """
    from fastadasp.models.converting import ConversionError, Precision, convert, open_source, problems
    from fastadasp.models.wavllm.configuration import WavLLMConfig
    from fastadasp.models.wavllm.keys import WRAPPERS, unused, weights
    from fastadasp.models.wavllm.tokenization import TokenizerError, read_sentencepiece

    config = WavLLMConfig() if config is None else config
    precision = Precision.keep if precision is None else precision
    source = open_source(checkpoint, within="model", drop=WRAPPERS, advice=_WHERE)
    outputs = weights(config, source.tensors)
    expected = {key: output.shape for output in outputs for key in output.sources}
    wrong = problems(source, expected, unused(config))
    tokenizer = checkpoint.parent / TOKENIZER if tokenizer is None else tokenizer
    pieces = []
    try:
        pieces = read_sentencepiece(tokenizer)
    except TokenizerError as error:
        wrong.append(f"{error}; {_WHERE_TOKENIZER}")
    text: Any = config.text_config
    if pieces and len(pieces) != text.vocab_size:
        wrong.append(f"{tokenizer} has {len(pieces)} pieces, the model {text.vocab_size}; {_WHERE_TOKENIZER}")
    if wrong:
        raise ConversionError(f"{checkpoint} cannot be converted:\n" + "\n".join(wrong))
    head = next(output for output in outputs if output.name == "lm_head.weight")
    config.architectures = ["WavLLMForConditionalGeneration"]
    config.dtype = str(head.dtype(source, precision)).removeprefix("torch.")

    def finish(folder: Path) -> None:
        _write_rest(folder, config, pieces, normalize_waveform)

    recipe = f"{RECIPE}{' normalized' if normalize_waveform else ''}"
    options: dict[str, Any] = {"precision": precision, "shard_bytes": shard_bytes, "progress": progress}
    convert(source, outputs, out, recipe=recipe, finish=finish, **options)


def _write_rest(folder: Path, config: "WavLLMConfig", pieces: Any, normalize_waveform: bool) -> None:
    """Config, tokenizer, feature extractor, and what `generate()` must know."""
    from transformers import GenerationConfig

    from fastadasp.models.wavllm.features import WavLLMFeatureExtractor
    from fastadasp.models.wavllm.processing import WavLLMProcessor
    from fastadasp.models.wavllm.tokenization import build_tokenizer

    text: Any = config.text_config
    whisper: Any = config.whisper_config
    wavlm: Any = config.wavlm_config
    extractor = WavLLMFeatureExtractor(feature_size=whisper.num_mel_bins, normalize_waveform=normalize_waveform)
    convolutions = {"conv_kernel": wavlm.conv_kernel, "conv_stride": wavlm.conv_stride}
    WavLLMProcessor(extractor, build_tokenizer(pieces), **convolutions).save_pretrained(folder)
    ends = {"bos_token_id": text.bos_token_id, "eos_token_id": text.eos_token_id, "pad_token_id": text.eos_token_id}
    GenerationConfig(**ends).save_pretrained(folder)
    config.save_pretrained(folder)


def _read_config(path: Path | None) -> "WavLLMConfig | None":
    if path is None:
        return None
    from fastadasp.models.converting import ConversionError
    from fastadasp.models.wavllm.configuration import WavLLMConfig

    try:
        return WavLLMConfig.from_json_file(path)  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError) as error:
        raise ConversionError(f"--config {path} cannot be read as the config.json of a WavLLM: {error}") from error
