"""What it costs to see what workflows do: folding, being up to date, memory, answers; beside reading, and a peer."""
