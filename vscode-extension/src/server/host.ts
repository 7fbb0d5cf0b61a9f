import type * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

/** How the server is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What the session needs from the rest of the extension. */
export interface SessionHost {
  readonly log: vscode.LogOutputChannel;
  /** How to start, `unasked` with the window or by a command; undefined where there is nothing to start. */
  launch(unasked: boolean): Promise<Launch | undefined>;
  settings(): Record<string, unknown>;
  /** Register handlers on a new client, before it starts. */
  prepare(client: LanguageClient): void;
  /** The server has ended by itself. */
  crashed(restarting: boolean): void;
  failed(error: unknown): void;
}

/** A value of a work-done progress. */
export interface WorkDoneProgressValue {
  readonly kind: 'begin' | 'report' | 'end';
  readonly title?: string;
  readonly message?: string;
  /** 0 to 100. */
  readonly percentage?: number;
}

/** There is no server, and the user has been told why. */
export class NotRunning extends Error {
  constructor() {
    super('llmstep does not run.');
  }
}
