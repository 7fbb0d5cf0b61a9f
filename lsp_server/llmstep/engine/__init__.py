"""One queue before one model: prompts, generation, post-processing, and the cache of answers.

Importing this package loads neither torch nor transformers; they come in when a model is first loaded.
"""
