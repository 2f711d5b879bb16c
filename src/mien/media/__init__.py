"""Reading and writing pictures. Inside the package a picture is always RGB uint8 (H, W, 3)."""
