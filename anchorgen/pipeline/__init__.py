"""Loading, saving and running the networks together."""

from anchorgen.pipeline.config import PipelineConfig, PretrainedError
from anchorgen.pipeline.examples import Example, examples
from anchorgen.pipeline.pipeline import AnchorgenPipeline, load

__all__ = ["AnchorgenPipeline", "Example", "PipelineConfig", "PretrainedError", "examples", "load"]
