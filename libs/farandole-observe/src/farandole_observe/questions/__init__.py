"""What one may ask: each question reads the tables, and knows nothing of how they were filled."""
