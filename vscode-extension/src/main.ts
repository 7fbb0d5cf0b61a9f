import type * as vscode from 'vscode';
import { registerCommands } from './commands';
import { Extension } from './extension';

let running: Extension | undefined;

export function activate(context: vscode.ExtensionContext): Extension {
  running = new Extension(context);
  context.subscriptions.push(...registerCommands(running));
  running.activate();
  return running;
}

export async function deactivate(): Promise<void> {
  await running?.session.stop();
  running = undefined;
}
