"""Fakes that ship with the product: a switch that forwards packets, builders for views and ports."""
