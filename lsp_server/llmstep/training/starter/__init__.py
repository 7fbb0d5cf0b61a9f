"""The starter model: theorems are drawn and proved here, run by a real Lean, and a small model learns the steps."""
