"""Numbers and pages from answers: truth and probabilities in, a report out."""
