"""Recipes of teachers, with networks that are not in the package."""
