"""Evaluation on a labelled set: `mien.evaluate` and `mien.compare`, predictions, robustness, folds, the report."""
