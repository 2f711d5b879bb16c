"""What a prediction table shows: summaries over time, people and folders, plots and a report."""
