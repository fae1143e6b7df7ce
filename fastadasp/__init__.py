"""Token reduction inside speech language models: FastAdaSP, its rivals, and what they cost.

Names are loaded on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastadasp.hooks import merging as merging
    from fastadasp.merge.a_tome import ATome as ATome
    from fastadasp.merge.affinity_pooling import AffinityPooling as AffinityPooling
    from fastadasp.merge.affinity_pooling import DeepAffinityPooling as DeepAffinityPooling
    from fastadasp.merge.assignment import Assignment as Assignment
    from fastadasp.merge.average import Average as Average
    from fastadasp.merge.base import MergeMethod as MergeMethod
    from fastadasp.merge.base import Positions as Positions
    from fastadasp.merge.base import Schedule as Schedule
    from fastadasp.merge.blend import Blend as Blend
    from fastadasp.merge.cache import CacheMethod as CacheMethod
    from fastadasp.merge.cdpruner import CDPruner as CDPruner
    from fastadasp.merge.chain import Chain as Chain
    from fastadasp.merge.dart import Dart as Dart
    from fastadasp.merge.divprune import DivPrune as DivPrune
    from fastadasp.merge.expected_attention import ExpectedAttention as ExpectedAttention
    from fastadasp.merge.fastadasp import FastAdaSP as FastAdaSP
    from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict as FastAdaSPKVEvict
    from fastadasp.merge.fastv import FastV as FastV
    from fastadasp.merge.frame import Frame as Frame
    from fastadasp.merge.h2o import H2O as H2O
    from fastadasp.merge.head_router import HeadRouter as HeadRouter
    from fastadasp.merge.input import InputMethod as InputMethod
    from fastadasp.merge.keydiff import KeyDiff as KeyDiff
    from fastadasp.merge.knorm import Knorm as Knorm
    from fastadasp.merge.none import NoReduction as NoReduction
    from fastadasp.merge.pyramidkv import PyramidKV as PyramidKV
    from fastadasp.merge.random import RandomEvict as RandomEvict
    from fastadasp.merge.random import RandomMerge as RandomMerge
    from fastadasp.merge.samp import Samp as Samp
    from fastadasp.merge.segment_topk import SegmentTopK as SegmentTopK
    from fastadasp.merge.snapkv import SnapKV as SnapKV
    from fastadasp.merge.speech_prune import SpeechPrune as SpeechPrune
    from fastadasp.merge.state import InputState as InputState
    from fastadasp.merge.state import LayerState as LayerState
    from fastadasp.merge.streaming_llm import StreamingLLM as StreamingLLM
    from fastadasp.merge.stride import Stride as Stride
    from fastadasp.merge.tome import Tome as Tome
    from fastadasp.merge.tova import TOVA as TOVA
    from fastadasp.merge.visionzip import VisionZip as VisionZip
    from fastadasp.merge.vispruner import VisPruner as VisPruner
    from fastadasp.trace import MergeTrace as MergeTrace

_MODULES = {
    "ATome": "merge.a_tome",
    "AffinityPooling": "merge.affinity_pooling",
    "Assignment": "merge.assignment",
    "Average": "merge.average",
    "Blend": "merge.blend",
    "CDPruner": "merge.cdpruner",
    "CacheMethod": "merge.cache",
    "Chain": "merge.chain",
    "Dart": "merge.dart",
    "DeepAffinityPooling": "merge.affinity_pooling",
    "DivPrune": "merge.divprune",
    "ExpectedAttention": "merge.expected_attention",
    "FastAdaSP": "merge.fastadasp",
    "FastAdaSPKVEvict": "merge.fastadasp_kv_evict",
    "FastV": "merge.fastv",
    "Frame": "merge.frame",
    "H2O": "merge.h2o",
    "HeadRouter": "merge.head_router",
    "InputMethod": "merge.input",
    "InputState": "merge.state",
    "KeyDiff": "merge.keydiff",
    "Knorm": "merge.knorm",
    "LayerState": "merge.state",
    "MergeMethod": "merge.base",
    "MergeTrace": "trace",
    "NoReduction": "merge.none",
    "Positions": "merge.base",
    "PyramidKV": "merge.pyramidkv",
    "RandomEvict": "merge.random",
    "RandomMerge": "merge.random",
    "Samp": "merge.samp",
    "Schedule": "merge.base",
    "SegmentTopK": "merge.segment_topk",
    "SnapKV": "merge.snapkv",
    "SpeechPrune": "merge.speech_prune",
    "StreamingLLM": "merge.streaming_llm",
    "Stride": "merge.stride",
    "TOVA": "merge.tova",
    "Tome": "merge.tome",
    "VisPruner": "merge.vispruner",
    "VisionZip": "merge.visionzip",
    "merging": "hooks",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
