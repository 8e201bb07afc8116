"""Manifests for Kubernetes, made from what services declare; nothing here opens a log or speaks to a cluster."""
