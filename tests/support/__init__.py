"""What several of the tests that cross packages share."""
