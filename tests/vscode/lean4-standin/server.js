// A language server as a child process: requests, notifications, framing.
const { spawn } = require('node:child_process');

class LeanServer {
  /** @param hear Called with method and parameters of each notification. */
  constructor([command, ...args], hear) {
    this.hear = hear;
    this.waiting = new Map();
    this.next = 0;
    this.rest = Buffer.alloc(0);
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.child.stdin.on('error', () => undefined); // it has ended
    this.child.stdout.on('data', (data) => this.read(data));
  }

  request(method, params) {
    const id = ++this.next;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.send({ jsonrpc: '2.0', id, method, params });
    return answer;
  }

  notify(method, params) {
    this.send({ jsonrpc: '2.0', method, params });
  }

  stop() {
    this.child.kill();
    this.hear = () => undefined;
    for (const { reject } of this.waiting.values()) {
      reject(Object.assign(new Error('Pending response rejected since connection got disposed'), { code: -32097 }));
    }
    this.waiting.clear();
  }

  send(message) {
    const body = Buffer.from(JSON.stringify(message));
    this.child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.child.stdin.write(body);
  }

  read(data) {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      const head = this.rest.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/i.exec(this.rest.subarray(0, Math.max(head, 0)).toString())?.[1]);
      if (head < 0 || this.rest.length < head + 4 + length) {
        return;
      }
      const body = this.rest.subarray(head + 4, head + 4 + length);
      this.rest = this.rest.subarray(head + 4 + length);
      this.take(JSON.parse(body.toString()));
    }
  }

  take(message) {
    if (message.method !== undefined) {
      if (message.id !== undefined) {
        this.send({ jsonrpc: '2.0', id: message.id, result: null }); // registrations and refreshes
      } else {
        this.hear(message.method, message.params);
      }
      return;
    }
    const { resolve, reject } = this.waiting.get(message.id) ?? {};
    this.waiting.delete(message.id);
    if (message.error === undefined) {
      resolve?.(message.result);
    } else {
      reject?.(Object.assign(new Error(message.error.message), { code: message.error.code }));
    }
  }
}

module.exports = { LeanServer };
