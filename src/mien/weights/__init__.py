"""Weights files and the records that say everything needed to use them."""
