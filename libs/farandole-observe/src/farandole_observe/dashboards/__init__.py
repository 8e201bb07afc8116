"""Dashboards, alert rules and their data sources, made from a topology; the same topology gives the same bytes."""
