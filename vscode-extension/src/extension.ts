import type * as vscode from 'vscode';
import { Extension } from './main';

let running: Extension | undefined;

export function activate(context: vscode.ExtensionContext): Extension {
  running = new Extension(context);
  running.activate();
  return running;
}

export async function deactivate(): Promise<void> {
  await running?.deactivate();
  running = undefined;
}
