"""Training: recipes, a loop on Lightning Fabric, and the folder of a run."""
