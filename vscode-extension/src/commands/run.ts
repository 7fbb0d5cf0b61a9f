import * as vscode from 'vscode';
import { LSPErrorCodes, ResponseError } from 'vscode-languageclient/node';
import type { Notifier } from '../notify';
import { NotRunning } from '../server/options';
import type { Session } from '../server/session';

const ENDED: ReadonlySet<number> = new Set([
  LSPErrorCodes.RequestCancelled,
  LSPErrorCodes.ServerCancelled,
  LSPErrorCodes.ContentModified,
]);

/** What an error of the server has beside its sentence. */
function dataOf({ data }: { readonly data?: unknown }): { readonly code?: string; readonly hint?: string } {
  return data ?? {};
}

/** Whether a request to the server failed in a way that the user knows of: ended, or told of by the server. */
export function isKnown(error: unknown): boolean {
  if (!(error instanceof ResponseError)) {
    return error instanceof NotRunning || error instanceof vscode.CancellationError;
  }
  const { code } = dataOf(error);
  return ENDED.has(error.code) || (code !== undefined && code !== 'request');
}

/** Tell of a failure that nobody has told of yet; where a model needs more than is installed, ask whether to add it. */
export function tell(notify: Notifier, error: unknown): void {
  const { code, hint = '' } = error instanceof ResponseError ? dataOf(error) : {};
  if (code === 'missing_package') {
    void vscode.commands.executeCommand('llmstep.installTorch');
  } else if (!isKnown(error)) {
    const message = error instanceof Error ? error.message : String(error);
    void notify.error(`${message} ${hint}`.trimEnd());
  }
}

/** Run a command of the server behind a notification that shows its progress and can be cancelled. */
export function withProgress<T>(session: Session, title: string, command: string, argument: unknown): Thenable<T> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, (progress, token) => {
    let percent = 0;
    return session.execute<T>(command, argument, {
      token,
      onProgress: ({ message, percentage }) => {
        const now = Math.max(percent, percentage ?? percent);
        progress.report({ ...(message === undefined ? {} : { message }), increment: now - percent });
        percent = now;
      },
    });
  });
}
