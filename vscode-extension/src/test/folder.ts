import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

/** A folder that is gone after each test of the suite. */
export function temporaryFolder(): () => string {
  let folder = '';
  setup(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'llmstep-test-'));
  });
  teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return () => folder;
}

/** Write a shell script that can be run. */
export function script(file: string, ...lines: string[]): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'));
  chmodSync(file, 0o755);
  return file;
}

/** A stand-in for Python that answers the extension's question with this. */
export function fakePython(file: string, answer: Record<string, unknown>): string {
  const full = { executable: file, version: [3, 12, 1], llmstep: null, canMakeEnvironments: true, ...answer };
  return script(file, `echo '${JSON.stringify(full)}'`);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
