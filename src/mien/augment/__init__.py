"""Augmentation of batches of images on their device: geometry, colour, lighting, and mixing of samples."""
