"""Transformations of an image by one parameter, and how far they move it: plain numbers."""
