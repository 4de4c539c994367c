"""Generative image models, written from scratch and small enough to read in an afternoon."""

__version__ = "0.1.0"
