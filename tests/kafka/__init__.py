"""What the tests say of a real Kafka."""
