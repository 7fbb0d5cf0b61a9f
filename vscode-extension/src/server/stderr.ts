import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type * as vscode from 'vscode';

/** Records of the server's log, which come over the wire too. */
const RECORD = /^\d{4}-\d\d-\d\d [\d:,]+ (?:DEBUG|INFO|WARNING|ERROR) /;

/** What the server writes to stderr: records as details, the rest, a traceback for example, as it is. */
export function logOf(stderr: Readable, log: vscode.LogOutputChannel): void {
  createInterface({ input: stderr }).on('line', (line) => {
    if (RECORD.test(line)) {
      log.debug(line);
    } else {
      log.warn(line);
    }
  });
}

export function ignore(): void {
  // stdout is the wire
}
