"""Kubernetes: the manifests hold together, and are what Kubernetes and the operators take."""
