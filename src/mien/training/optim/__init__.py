"""What a training step is made of: losses, optimizer, schedule, SAM, EMA, ghost batch norm."""
