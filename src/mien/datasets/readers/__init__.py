"""The files of each data set as `Samples`: one module per set, and those for sets of one's own."""
