"""Prepared sets: faces of a data set found, aligned and stored once, for training and evaluation."""
