"""Images made from results."""
