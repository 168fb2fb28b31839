"""Loading, saving and running the networks together."""

from anchorgen.pipeline.config import PipelineConfig, PretrainedError
from anchorgen.pipeline.examples import Example, examples
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.pipeline.source import Source

__all__ = ["AnchorgenPipeline", "Example", "PipelineConfig", "PretrainedError", "Source", "examples", "load"]
