"""Weights files and the manifests that say everything needed to use them."""
