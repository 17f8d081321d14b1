"""The forms of data: a file each, with what reads it; :mod:`rsonnx.data.opening` lists them."""
