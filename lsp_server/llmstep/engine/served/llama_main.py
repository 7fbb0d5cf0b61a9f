"""llama.cpp's server from the package xllamacpp, as a process: one that a failed assertion of it may end.

    LLAMA_API_KEY=… python -m llmstep.engine.served.llama_main MODEL --port N --parallel SLOTS --ctx-size TOKENS

The options are those of llama.cpp's own program `llama-server`.
"""

from __future__ import annotations

import argparse
import os
import threading


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--model", "--host"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--parallel", "--ctx-size", "--threads"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--kv-unified", action="store_true")
    given = parser.parse_args()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.hostnames = [given.host]
    params.port = given.port
    params.api_keys = [os.environ["LLAMA_API_KEY"]]
    params.n_parallel = given.parallel
    params.n_ctx = given.ctx_size
    params.kv_unified = given.kv_unified
    params.cpuparams.n_threads = given.threads
    params.cpuparams_batch.n_threads = given.threads
    server = xllamacpp.Server(params)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
