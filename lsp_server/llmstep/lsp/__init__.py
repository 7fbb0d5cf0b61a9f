"""The language server: thin handlers between an editor and the application.

Nothing in this room imports torch, and what needs the engine is imported after the client's `initialized`, so that
the editor has its answer at once.
"""
