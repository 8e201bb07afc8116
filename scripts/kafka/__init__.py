"""A real Apache Kafka for tests, benchmarks and demonstrations: one that runs, one in Docker, or one on Java."""

from scripts.kafka.cluster import Cluster, Origin, kafka_cluster
from scripts.kafka.errors import KafkaFailed, NoKafka
from scripts.kafka.node import Node

__all__ = ["Cluster", "KafkaFailed", "NoKafka", "Node", "Origin", "kafka_cluster"]
