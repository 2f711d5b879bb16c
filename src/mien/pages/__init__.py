"""Self-contained HTML pages: what reports and evaluations share."""
