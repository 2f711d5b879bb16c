"""Training: a plain loop on Lightning Fabric, its parts, and the folder a run leaves."""
