"""Training of base classifiers for smoothing: data, networks, losses, recipes, loop and export."""
