"""What must stay linear, flat and unblocked as a workflow grows."""
