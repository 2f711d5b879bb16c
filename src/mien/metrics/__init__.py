"""Figures from answers: pure functions on arrays."""
