"""The networks: one file each, torch modules that never open a file."""
