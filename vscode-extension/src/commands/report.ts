import * as os from 'node:os';
import * as vscode from 'vscode';
import { LEAN4_EXTENSION } from '../goals';
import type { Doctor } from './doctor';
import type { Extension } from '../extension';

const LINES = 40;

/** Open a report of a fault for the user to read, complete and send, as a file without a name; its text. It goes nowhere by itself. */
export async function reportFault(parts: Extension, doctor: Doctor): Promise<string> {
  const hide = hider(os.homedir(), os.userInfo().username, vscode.workspace.workspaceFolders?.map(({ uri }) => uri.fsPath) ?? []);
  const content = text(versions(parts), hide(await doctor.report()), lastLines(parts.logLines).map(hide));
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'markdown', content }));
  const { bugs } = parts.context.extension.packageJSON as { bugs?: { url?: string } };
  const copy = { title: 'Copy', run: () => vscode.env.clipboard.writeText(vscode.window.activeTextEditor?.document.getText() ?? content) };
  const send = bugs?.url === undefined ? [] : [{ title: 'Open the Issue Page', run: () => vscode.env.openExternal(vscode.Uri.parse(bugs.url ?? '')) }];
  void parts.notify.info('Nothing of this report has been sent. Read it, say what happened, and take out what is private.', copy, ...send);
  return content;
}

function versions({ context, status }: Extension): string[] {
  const { version } = context.extension.packageJSON as { version: string };
  const lean = vscode.extensions.getExtension(LEAN4_EXTENSION)?.packageJSON as { version?: string } | undefined;
  const { model, selected, device, engine, state } = status.status ?? {};
  return [
    `llmstep for Lean 4: ${version}`,
    `${vscode.env.appName}: ${vscode.version}, ${vscode.env.remoteName ?? 'no remote window'}`,
    `System: ${os.type()} ${os.release()}, ${os.arch()}`,
    `Lean 4 extension: ${lean?.version ?? 'none'}`,
    `Model: ${[model === '' ? selected : model, device, engine, state].filter((each) => each !== undefined && each !== '').join(', ') || 'the server does not run'}`,
  ];
}

function text(about: readonly string[], doctor: string, log: readonly string[]): string {
  return [
    '# Report of a fault in llmstep\n',
    '## What happens, and what should happen\n',
    '(A small Lean file with the place of the cursor helps most.)\n',
    '## Versions\n',
    ...about.map((line) => `- ${line}`),
    '\n## Doctor\n',
    fenced(doctor),
    `\n## Last lines of the log, without goals\n`,
    fenced(log.join('\n')),
    '',
  ].join('\n');
}

function fenced(lines: string): string {
  return `~~~text\n${lines.trimEnd()}\n~~~`;
}

/** The last lines of a log, without what users prove: what stands behind ⊢ or in backquotes is left out. */
export function lastLines(log: readonly string[]): string[] {
  return log.slice(-LINES).map((line) => line.replace(/⊢.*/u, '⊢ …').replace(/`[^`]*`/g, '`…`'));
}

/** Replaces what tells of the user: the home folder and others' homes, the workspace, the name, keys and passwords. */
export function hider(home: string, name: string, folders: readonly string[]): (text: string) => string {
  const places: (readonly [string, string])[] = [...folders.map((folder) => [folder, 'WORKSPACE'] as const), [home, '~']];
  const known = places.filter(([place]) => place.length > 1).sort(([a], [b]) => b.length - a.length);
  return (text) => {
    for (const [place, word] of known) {
      text = text.replaceAll(place, word).replaceAll(place.replaceAll('\\', '/'), word);
    }
    return text
      .replace(/(\/home\/|\/Users\/|[A-Za-z]:[\\/]Users[\\/])[^\\/\s"']+/g, '~')
      .replace(/\b(hf|sk|ghp|glpat)[-_][\w-]{8,}/g, 'KEY')
      .replace(/\b(Bearer|Basic) [\w+/=.-]+/gi, '$1 KEY')
      .replace(/(\w+:\/\/)[^/\s@]+@/g, '$1KEY@')
      .replace(name.length > 2 ? new RegExp(`(?<![\\w-])${escaped(name)}(?![\\w-])`, 'g') : /(?!)/, 'USER');
  };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
