"""Measures a hop on a real Kafka beside raw clients and other frameworks, each as its own documentation recommends."""
