"""Files that fill networks: records, strict loading, conversion of official checkpoints."""
