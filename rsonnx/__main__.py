"""``python -m rsonnx``."""

from rsonnx.cli import main

main()
