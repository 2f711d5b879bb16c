"""What a network looks at: maps over a face, and whether they are faithful."""
