"""A stand-in for the first llmstep's server, written anew from its description; the program itself is not here.

What it keeps of it: Python's `http.server` with one thread, so that requests are answered one after the other; the
prompt `[GOAL]…[PROOFSTEP]…`; ten samples at temperature 0.5 of at most 128 tokens by `generate` of transformers in
float32; each text once, without scores; no memory of what was asked.

python -m benchmarks.server_of_2023 [FOLDER]
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from llmstep.catalog.local_names import LocalNames, local_names
from llmstep.catalog.resolve import resolve
from llmstep.catalog.store import STARTER_DIR
from llmstep.settings import Settings

SAMPLES, TEMPERATURE, NEW_TOKENS = 10, 0.5, 128


class Handler(BaseHTTPRequestHandler):
    """Answers `{"tactic_state", "prefix"}` with `{"suggestions"}`."""

    protocol_version = "HTTP/1.1"
    model: Any
    tokenizer: Any
    plain_names: bool
    """Whether the model reads plain names, which the starter does; the models of 2023 did not."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        steps = self.suggested(asked["tactic_state"], asked.get("prefix", ""))
        body = json.dumps({"suggestions": steps}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # else its one thread would wait for this client's next request
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def suggested(self, state: str, prefix: str) -> list[str]:
        import torch

        names = local_names(state) if self.plain_names else LocalNames({})
        written = f"[GOAL]{names.hidden(state)}[PROOFSTEP]{names.hidden_step(prefix)}"
        prompt = self.tokenizer(written, return_tensors="pt")
        length = prompt["input_ids"].shape[1]
        with torch.no_grad():
            drawn = self.model.generate(
                input_ids=prompt["input_ids"],
                attention_mask=prompt["attention_mask"],
                do_sample=True,
                temperature=TEMPERATURE,
                num_return_sequences=SAMPLES,
                max_new_tokens=NEW_TOKENS,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        answers = (self.tokenizer.decode(each[length:], skip_special_tokens=True) for each in drawn)
        return sorted({prefix + names.shown(each, prefix) for each in answers})

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def main(folder: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    Handler.tokenizer = AutoTokenizer.from_pretrained(folder)
    Handler.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    Handler.plain_names = resolve(Settings(model=folder)).template.plain_names
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(f"It listens at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(STARTER_DIR))
