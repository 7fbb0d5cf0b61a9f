"""Networks as machine code: a decoding step is one call, and weights are read at the memory's speed.

A network is a list of operations (`program`), which one function that numba compiles (`loop`) goes through with several
threads (`machine`). The importing of numba is left to those that use a network.
"""
