"""Stands for `llmstep serve` in `lake test`: suggests what stands in the prefix, between bars."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, {})
        if self.path == "/stop":
            threading.Thread(target=server.shutdown).start()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if request["prefix"] == "error":
            self.answer(503, {"error": "no model", "hint": "Choose one.", "suggestions": []})
        else:
            self.answer(200, {"suggestions": request["prefix"].split("|")})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


try:
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
except OSError:
    sys.exit(0)  # the one of the last run is still there
timer = threading.Timer(60, server.shutdown)  # whatever becomes of the tests
timer.daemon = True
timer.start()
server.serve_forever()
