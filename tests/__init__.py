"""Tests that cross packages. A package, lest one of the same name that a wheel installs go before it."""
