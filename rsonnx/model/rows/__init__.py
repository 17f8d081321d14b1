"""Prove from a graph that each row of its outputs is one function of its own row of the input.

Abstract interpretation: :mod:`values` says what is known of a tensor, a rule for each operator
says what follows for its outputs, :mod:`proof` follows the graph.
"""

from rsonnx.model.rows.proof import RowProof, prove_rows

__all__ = ["RowProof", "prove_rows"]
