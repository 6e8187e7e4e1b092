"""ONNX export: fitted models become graphs that give the same numbers without the libraries."""
