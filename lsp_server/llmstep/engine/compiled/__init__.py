"""Networks in eight bits as machine code: a decoding step is one call, and weights are read at the memory's speed.

torch needs a call for each of some hundred small operations of a step, and its products of few rows by bytes do not
reach what the memory can give. Here a network is a list of operations (`program`), which one function that numba
compiles (`loop`) goes through with several threads (`machine`).

The importing of numba is left to those that use a network.
"""
