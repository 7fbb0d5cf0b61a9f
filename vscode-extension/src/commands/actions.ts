import * as vscode from 'vscode';
import type { Session } from '../server/session';
import { changeSetting, setting } from '../settings';

interface ActionItem extends vscode.QuickPickItem {
  readonly command: string;
}

/** Suggest when the cursor rests on a goal, or only on demand again; kept where the user keeps the setting. */
export async function toggleIdle(): Promise<void> {
  const idle = setting<string>('trigger') === 'onIdle';
  await changeSetting('trigger', idle ? 'onDemand' : 'onIdle');
  vscode.window.setStatusBarMessage(`llmstep: suggestions ${idle ? 'on demand only' : 'when the cursor rests on a goal'}`, 5000);
}

/** The actions of the status item. */
export async function showActions(session: Session): Promise<void> {
  const idle = setting<string>('trigger') === 'onIdle';
  const runs = session.state === 'running';
  const items: ActionItem[] = [
    ...(runs
      ? [
          { label: '$(lightbulb) Suggest the next step', command: 'llmstep.suggest' },
          { label: `$(watch) ${idle ? 'Suggest on demand only' : 'Suggest when the cursor rests on a goal'}`, command: 'llmstep.toggleIdle' },
          { label: '$(stop-circle) Stop what is running', command: 'llmstep.stop' },
        ]
      : []),
    { label: '$(library) Select a model…', command: 'llmstep.selectModel' },
    { label: runs ? '$(refresh) Restart the server' : '$(play) Start the server', command: 'llmstep.restart' },
    ...(runs ? [{ label: '$(debug-disconnect) Stop the server', command: 'llmstep.stopServer' }] : []),
    { label: '$(output) Show the log', command: 'llmstep.showLog' },
    { label: '$(pulse) Doctor', command: 'llmstep.doctor' },
    { label: '$(report) Report an issue…', command: 'llmstep.reportIssue' },
    { label: '$(gear) Settings', command: 'llmstep.openSettings' },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: 'llmstep' });
  if (picked !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}
