"""From images to answers."""
