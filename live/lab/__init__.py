"""Training in the page: kinds of layers, compiled one by one, and a driver that chains them."""

from .layers import adam, compile_core, compile_kind

__all__ = ["adam", "compile_core", "compile_kind"]
