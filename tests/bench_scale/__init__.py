"""Measures on a real Kafka what the model of `scripts.scale` needs, beside what the other benches already say."""
