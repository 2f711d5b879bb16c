"""What a data set really holds: duplicates, unreadable files, counts, and the card that tells of them."""
