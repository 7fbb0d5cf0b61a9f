"""Where settings come from: files, the environment, flags and the editor, laid over each other."""
