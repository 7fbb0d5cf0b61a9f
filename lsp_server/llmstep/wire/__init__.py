"""What clients and scripts send and get, each form described once: arguments of LSP commands and tools, bodies of HTTP
requests, answers, and the output of `--json`.

In Python the names are snake_case, as in `--json`; for editors they are camelCase. `reading` reads what comes,
`records` writes what goes. The JSON Schemas, the pages of docs/reference, the OpenAPI description and the types of the
VS Code extension are made from these classes (scripts/reference.py).
"""
