"""What is installed, what is missing, and what to do about it.

Facts are gathered one by one; none of them can fail the others. Everything that starts a program or opens a connection
has a time limit. Nothing is downloaded and nothing is changed.
"""
