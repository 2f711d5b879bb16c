"""Reading and writing images. Inside the package an image is always RGB uint8 (H, W, 3)."""
