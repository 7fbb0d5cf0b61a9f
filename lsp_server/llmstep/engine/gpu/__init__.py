"""Decoding on a GPU: memory that stays where it is, steps that are recorded, weights of few bits."""
