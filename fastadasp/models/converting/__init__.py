"""Turning a published checkpoint into a folder that `from_pretrained` reads: checked whole, then streamed into it.

`open_source` reads a checkpoint without running code of it, `check` compares all keys and shapes with what is expected,
`convert` writes the new tensors shard by shard, and goes on where it was interrupted.
"""

from fastadasp.models.converting.check import problems
from fastadasp.models.converting.folder import convert
from fastadasp.models.converting.outputs import Output, Precision
from fastadasp.models.converting.source import ConversionError, Source, Stored, open_source

__all__ = ["ConversionError", "Output", "Precision", "Source", "Stored", "convert", "open_source", "problems"]
