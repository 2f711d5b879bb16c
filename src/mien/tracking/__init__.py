"""Faces over time: shot changes, tracks, and scores smoothed over a track."""
