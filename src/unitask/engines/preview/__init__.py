"""The preview engine: stand-in pictures for every product that no real engine serves here.

Nothing heavy is imported until a picture is made: `engine` names the modules that do the work.
"""

from unitask.engines.preview.engine import PreviewEngine

__all__ = ["ENGINE", "PreviewEngine"]

ENGINE = PreviewEngine()
