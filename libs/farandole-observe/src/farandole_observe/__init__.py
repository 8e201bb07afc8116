"""Rebuilds the state of workflows from the event log: tables, questions, and what is shown of them."""
