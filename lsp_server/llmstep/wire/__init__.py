"""What clients and scripts get, each form described once: answers of LSP commands, and the output of `--json`.

In Python the names are snake_case, as in `--json`; for editors `to_editor` makes them camelCase. The JSON Schemas, the
pages of docs/reference and the types of the VS Code extension are made from these classes by scripts/reference.py.
"""
