"""`model=hf`: a family that no file names, what is said where something cannot be found, and what cannot be reduced."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
import torch
import transformers
from torch import Tensor, nn
from transformers import BatchFeature, PreTrainedConfig, PreTrainedModel, ProcessorMixin

import fastadasp
from fastadasp import FastAdaSP, merging
from fastadasp.models.chat import ChatSpeechLM
from fastadasp.models.pretrained import ModelError
from tests.helpers.family_parts import DECODER
from tests.helpers.speech_families import Family

RATE, HOP = 8000, 640
TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}] {% for part in message.content %}"
    "{% if part.type == 'audio' %}~sound~{% else %}{{ part.text }}{% endif %}{% endfor %}\n{% endfor %}[answer] "
)


class HummingConfig(PreTrainedConfig):
    """A family that exists in this test alone; its configuration does not say which token stands for audio."""

    model_type = "humming"
    sub_configs: ClassVar = {"text_config": transformers.LlamaConfig}

    def __init__(self, text_config: Any = None, **settings: Any) -> None:
        given = text_config if isinstance(text_config, dict) else {}
        self.text_config = (
            transformers.LlamaConfig(**given) if not isinstance(text_config, PreTrainedConfig) else text_config
        )
        super().__init__(**settings)


class Humming(PreTrainedModel, transformers.GenerationMixin):
    """Loudness of frames, projected into the places where `~sound~` stands."""

    config_class = HummingConfig
    _supports_sdpa = True

    def __init__(self, config: HummingConfig) -> None:
        super().__init__(config)
        self.ears = nn.Linear(HOP, config.text_config.hidden_size)
        self.writer = transformers.LlamaForCausalLM(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.writer.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        return self.writer.get_output_embeddings()

    def forward(
        self,
        input_ids: Tensor | None = None,
        waves: Tensor | None = None,
        wave_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
            if waves is not None:
                heard = self.ears(waves)[wave_mask.bool()]
                places = (input_ids == self.config.sound)[..., None].expand_as(inputs_embeds)
                inputs_embeds = inputs_embeds.masked_scatter(places, heard)
        return self.writer(inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        inputs_embeds: Tensor | None = None,
        waves: Any = None,
        wave_mask: Any = None,
        **kwargs: Any,
    ) -> Any:
        first = kwargs.get("is_first_iteration", True)
        inputs = super().prepare_inputs_for_generation(input_ids, inputs_embeds=inputs_embeds, **kwargs)
        return {**inputs, "waves": waves, "wave_mask": wave_mask} if first else inputs


class HummingFeatureExtractor(transformers.FeatureExtractionMixin):
    """Frames of 80 ms."""

    sampling_rate = RATE

    def __call__(self, waves: list[Any]) -> dict[str, Tensor]:
        frames = [len(wave) // HOP for wave in waves]
        padded = torch.zeros(len(waves), max(frames), HOP)
        mask = torch.zeros(len(waves), max(frames))
        for row, (wave, count) in enumerate(zip(waves, frames, strict=True)):
            padded[row, :count] = torch.from_numpy(np.asarray(wave[: count * HOP])).reshape(count, HOP)
            mask[row, :count] = 1
        return {"waves": padded, "wave_mask": mask}


class HummingProcessor(ProcessorMixin):
    """Its audio argument is called `audios`, and it does not tell its audio token."""

    attributes: ClassVar = ["feature_extractor", "tokenizer"]
    feature_extractor_class = "AutoFeatureExtractor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, feature_extractor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)

    def __call__(self, text: list[str], audios: list[Any], **settings: Any) -> BatchFeature:
        heard = self.feature_extractor(audios)
        counts = iter(heard["wave_mask"].sum(1).int().tolist())
        expanded = []
        for prompt in text:
            first, *others = prompt.split("~sound~")
            expanded.append(first + "".join("~sound~" * next(counts) + other for other in others))
        return BatchFeature({**self.tokenizer(expanded, return_tensors="pt", **settings["text_kwargs"]), **heard})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family as a user registers it, and a checkpoint of it."""
    transformers.AutoConfig.register("humming", HummingConfig, exist_ok=True)
    transformers.AutoModelForCausalLM.register(HummingConfig, Humming, exist_ok=True)
    transformers.AutoFeatureExtractor.register(HummingConfig, HummingFeatureExtractor, exist_ok=True)
    transformers.AutoProcessor.register(HummingConfig, HummingProcessor, exist_ok=True)
    tokenizer = Family(lambda _: None, lambda *_: None, "~sound~").tokenizer()
    torch.manual_seed(0)
    config = HummingConfig(text_config=DECODER, sound=tokenizer.convert_tokens_to_ids("~sound~"))
    config.architectures = ["Humming"]
    model = Humming(config).eval()
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    where = tmp_path_factory.mktemp("humming")
    model.save_pretrained(where)
    HummingProcessor(HummingFeatureExtractor(), tokenizer, chat_template=TEMPLATE).save_pretrained(where)
    return where


def sound(path: Path, seconds: float) -> Path:
    soundfile.write(path, 0.1 * np.random.default_rng(int(seconds)).standard_normal(round(seconds * 16_000)), 16_000)
    return path


def test_a_family_that_no_file_names_runs_by_its_processor_alone(folder: Path, tmp_path: Path) -> None:
    model = fastadasp.load("hf", path=str(folder), dtype="float32", device="cpu")
    adapter = model.adapter
    assert (adapter.placeholder, adapter.sampling_rate) == ("~sound~", RATE)
    files = [sound(tmp_path / "a.wav", 4.0), sound(tmp_path / "b.wav", 2.0)]
    method = FastAdaSP(ratio=0.4, layer=1)
    together = fastadasp.ask(model, files, "What is it?", method=method, progress=False)
    alone = [fastadasp.ask(model, file, "What is it?", method=method, progress=False)[0] for file in files]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.audio_tokens for answer in together] == [50, 25]
    assert [answer.audio_tokens_left for answer in together] == [30, 15]


def test_without_a_reduction_the_family_answers_as_its_own_class_does(folder: Path, tmp_path: Path) -> None:
    model = fastadasp.load(folder, dtype="float32", device="cpu")
    inputs = model.inputs(sound(tmp_path / "a.wav", 3.0), "What is it?")
    plain = model.transformers_model.generate(**inputs, max_new_tokens=5)[:, inputs["input_ids"].shape[1] :]
    with merging(model, FastAdaSP(ratio=0.0), model.audio_mask(inputs)):
        for beams in (1, 3):
            ids = model.generate(inputs, max_new_tokens=5, num_beams=beams)
            if beams == 1:
                assert ids.tolist() == plain.tolist()
    assert ids.shape[1] == 5


def changed(folder: Path, copy: Path, **files: str | None) -> ChatSpeechLM:
    """An adapter on a copy in which some files have another content, or are gone."""
    import shutil

    shutil.copytree(folder, copy)
    for name, content in files.items():
        file = copy / name.replace("__", ".")
        file.unlink() if content is None else file.write_text(content)
    return ChatSpeechLM(path=str(copy))


def test_a_checkpoint_without_a_template_says_which_setting_gives_one(folder: Path, tmp_path: Path) -> None:
    adapter = changed(folder, tmp_path / "copy", chat_template__jinja=None)
    with pytest.raises(
        ModelError, match=r"(?s)no way was found .* chat template.*Name what is missing: .*chat_template"
    ):
        adapter.prompt_tokens(adapter.listening)
    mended = ChatSpeechLM(path=adapter.path, chat_template=TEMPLATE)
    assert mended.placeholder == "~sound~"


def test_a_template_that_leaves_the_recording_out_is_told_with_all_that_was_tried(folder: Path, tmp_path: Path) -> None:
    adapter = changed(folder, tmp_path / "copy", chat_template__jinja="{{ messages[0].content[-1].text }}")
    with pytest.raises(ModelError, match=r"(?s)as parts: .*as named parts: .*as tokenised: .*model\.audio_token"):
        _ = adapter.listening


def test_the_name_of_the_audio_token_can_be_given(folder: Path) -> None:
    assert (
        ChatSpeechLM(path=str(folder), audio_token="~sound~").audio_token_id
        == ChatSpeechLM(path=str(folder)).audio_token_id
    )
    with pytest.raises(ModelError, match=r"writes 0 times <other>"):
        _ = ChatSpeechLM(path=str(folder), audio_token="<other>").listening
