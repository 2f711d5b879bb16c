"""Which rows train, validate and test: official protocols, and groups that stay together."""
