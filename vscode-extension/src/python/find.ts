import * as path from 'node:path';
import * as vscode from 'vscode';
import { setting } from '../settings';
import { type Probed, type Python, probe } from './probe';

/** A command that may start Python, and where it comes from. */
export interface Candidate {
  readonly source: 'setting' | 'pythonExtension' | 'path';
  readonly command: string;
  readonly args: readonly string[];
}

/** What the search for a Python came to. */
export type Found =
  | { readonly kind: 'python'; readonly python: Python; readonly source: Candidate['source'] }
  /** The one of the settings cannot be used; others are not tried. */
  | { readonly kind: 'wrongSetting'; readonly command: string; readonly reason: string }
  | { readonly kind: 'none' };

/** The parts of the Python extension's exports that are used here. */
interface PythonExtension {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: unknown): Promise<{ readonly executable?: { readonly uri?: vscode.Uri } } | undefined>;
  };
}

/** Where Python may be: the setting alone where it is set, else the Python extension's choice, then PATH. */
export async function candidates(): Promise<Candidate[]> {
  const configured = expandHome(setting<string>('python'));
  if (configured !== '') {
    return [{ source: 'setting', command: configured, args: [] }];
  }
  const chosen = await chosenInPythonExtension();
  return [
    ...(chosen === undefined ? [] : [{ source: 'pythonExtension' as const, command: chosen, args: [] }]),
    ...onPath(process.env.PATH ?? '', process.platform),
  ];
}

/** The first candidate that llmstep runs on. */
export async function findPython(
  from: readonly Candidate[],
  ask: (command: string, args: readonly string[]) => Promise<Probed> = probe,
): Promise<Found> {
  for (const { source, command, args } of from) {
    const probed = await ask(command, args);
    if (probed.kind === 'python') {
      return { kind: 'python', python: probed.python, source };
    }
    if (source === 'setting') {
      const reason = probed.kind === 'tooOld' ? `is Python ${probed.version}` : `does not run: ${probed.message}`;
      return { kind: 'wrongSetting', command, reason };
    }
  }
  return { kind: 'none' };
}

/** Commands that start Python on `PATH`; relative folders of it are left out. */
export function onPath(searchPath: string, platform: NodeJS.Platform): Candidate[] {
  const api = platform === 'win32' ? path.win32 : path.posix;
  const names =
    platform === 'win32'
      ? ['py.exe', 'python3.exe', 'python.exe']
      : ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const folders = searchPath.split(api.delimiter).filter((folder) => api.isAbsolute(folder));
  return names.flatMap((name) =>
    folders.map((folder) => ({
      source: 'path' as const,
      command: api.join(folder, name),
      args: name === 'py.exe' ? ['-3'] : [],
    })),
  );
}

async function chosenInPythonExtension(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension | undefined>('ms-python.python');
  if (extension === undefined) {
    return undefined;
  }
  try {
    const environments = (await extension.activate())?.environments;
    const active = environments?.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
    const resolved = await environments?.resolveEnvironment(active);
    return resolved?.executable?.uri?.fsPath;
  } catch {
    return undefined; // its choice is one of several places to look
  }
}

function expandHome(command: string): string {
  const home = process.env.HOME ?? process.env.USERPROFILE ?? '';
  return command.trim().replace(/^~(?=$|[\\/])/, home);
}
