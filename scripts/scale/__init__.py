"""What a dance needs at a rate: a model and a simulation of it, both fed by what `make bench-scale` measured."""
