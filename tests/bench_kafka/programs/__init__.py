"""What is measured, a process each; nothing here may import farandole but `told`, for peers run in their own Python."""
