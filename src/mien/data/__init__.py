"""What training is fed: pictures as batches of tensors, changed at random."""
