"""The programs' command lines, one module each."""
