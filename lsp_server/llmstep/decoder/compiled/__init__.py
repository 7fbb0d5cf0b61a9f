"""Networks as machine code: a decoding step is one call. numba is imported by those that use a network."""
