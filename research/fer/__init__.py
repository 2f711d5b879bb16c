"""Weights of the four expression networks: measured on five sources, calibrated, exported."""
