"""Notebooks with checked parameters: configurations, execution, kernels."""
