"""Tools for agents, by the Model Context Protocol; the work is the editor's, on a file and a position."""
