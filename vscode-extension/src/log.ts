import type * as vscode from 'vscode';

const KEPT = 200;
const LEVELS: ReadonlySet<string> = new Set(['info', 'warn', 'error']);

/**
 * A log whose last lines are kept in `lines` as well, for a report: the first line of each message, since goals and proofs
 * take several.
 */
export function remembering(channel: vscode.LogOutputChannel, lines: string[]): vscode.LogOutputChannel {
  return new Proxy(channel, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') {
        return value;
      }
      return (...args: unknown[]): unknown => {
        if (typeof name === 'string' && LEVELS.has(name)) {
          const [first = ''] = String(args[0]).split(/\r?\n/);
          lines.push(`${new Date().toISOString()} [${name}] ${first}`);
          lines.splice(0, lines.length - KEPT);
        }
        return Reflect.apply(value as (...rest: unknown[]) => unknown, target, args);
      };
    },
  });
}
