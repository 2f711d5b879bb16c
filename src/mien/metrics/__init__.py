"""Metrics from truth and probabilities: arrays in, plain values out."""
