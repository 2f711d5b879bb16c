"""`mien serve`: predictions over HTTP, and the page at its root. Needs the extra `mien[serve]`."""
