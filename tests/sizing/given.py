"""Coefficients of round numbers, so that what is expected can be worked out by hand."""

from scripts.scale.coefficients import (
    Coefficients,
    Disk,
    Flood,
    Full,
    Latency,
    Member,
    Point,
    Process,
    Tables,
    Work,
)

ROUND = Coefficients(
    about={
        "cores": 2,
        "command": "none",
        "commit": "0000000",
        "seconds": 1,
        "machine": "paper",
        "python": "3",
        "kafka": "4",
        "load": [0.0, 0.0, 0.0],
    },
    service=Work(second=0.01, commit=0.0005, event=60e-6, byte=10e-9),
    broker=Work(second=0.02, commit=0.0004, partition=0.0001, event=4e-6, byte=2e-9),
    replica=Work(commit=0.0002, partition=0.0001, event=2e-6, byte=1e-9),
    disk=Disk(event=300, fact=450, commit=400),
    member=Member(service=300e-6, broker=50e-6, disk=1_500),
    tables={
        "SQLite": Tables(rate=10_000, fact=500, memory=1e8),
        "PostgreSQL": Tables(rate=5_000, fact=800, memory=1e8),
    },
    process=Process(memory=5e7, partition=2e4, connections=13),
    latency=Latency(
        alone=(0.002, 0.003, 0.006), again=(0.004, 0.005, 0.010), first=0.006, each=20e-6, outside=0.001, watching=10e-6
    ),
    points=(Point(rate=200, commits=180, p50=0.006, p99=0.02, service=0.15, broker=0.1),),
    full=(Full(size=200, rate=15_000, cycle=0.03, service=0.95, broker=0.3),),
    floods=(Flood(producers=1, partitions=2, rate=180, broker=0.1, p50=0.005),),
    residuals={"service": 0.1},
)
