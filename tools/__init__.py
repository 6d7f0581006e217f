"""Programs for people: what writes documents from the code, and what asks the real API."""
