"""The version, alone in a file so that the build can read it without importing the package."""

__version__ = "0.1.0"
"""Of the program, which every run file names too.

>>> rsonnx.read_run("run.jsonl").header.record["versions"]["rsonnx"] == rsonnx.__version__
True
"""
