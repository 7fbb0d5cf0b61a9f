import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** How a command ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'notStarted'; readonly message: string };

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the command, and all that it has started. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Run a command to its end; never throws. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  if (options.signal?.aborted === true) {
    return Promise.resolve({ kind: 'cancelled' });
  }
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      detached: process.platform !== 'win32', // a group of its own, so that all of it can be ended
    });
    let cancelled = false;
    const cancel = (): void => {
      cancelled = true;
      endGroup(child);
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(cancel, options.timeoutMs);
    options.signal?.addEventListener('abort', cancel, { once: true });
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', cancel);
      resolve(outcome);
    };
    const stdout = gather(child.stdout, options.onLine);
    const stderr = gather(child.stderr, options.onLine);
    child.on('error', (error) => { finish({ kind: 'notStarted', message: error.message }); });
    child.on('close', (code) => {
      finish(
        cancelled
          ? { kind: 'cancelled' }
          : { kind: 'done', code: code ?? 1, stdout: stdout().join('\n'), stderr: stderr().join('\n') },
      );
    });
  });
}

/** End a process and its children; a group that does not go within three seconds is killed. */
export function endGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) {
    return;
  }
  if (process.platform === 'win32') {
    spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { windowsHide: true, stdio: 'ignore' });
    return;
  }
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => { signalGroup(pid, 'SIGKILL'); }, 3000).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it has gone already
  }
}

/** Lines of a stream as they come; the result gives all of them. */
function gather(stream: Readable, onLine: ((line: string) => void) | undefined): () => string[] {
  const lines: string[] = [];
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    lines.push(line);
    onLine?.(line);
  });
  return () => lines;
}
