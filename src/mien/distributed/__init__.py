"""Prediction for collections too large for one machine: planned, divided into parts, finished exactly once."""
