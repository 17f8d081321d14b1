"""The smoothing distributions, one class a module; :mod:`rsonnx.noise.catalogue` lists them."""
