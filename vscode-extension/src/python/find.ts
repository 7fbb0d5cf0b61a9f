import * as path from 'node:path';
import * as vscode from 'vscode';
import { run } from '../process';
import { setting } from '../settings';

/** The oldest Python that llmstep runs on. */
const OLDEST: readonly [number, number] = [3, 10];

/** What is known about a Python interpreter. */
export interface Python {
  /** Path of the interpreter, as it names itself. */
  readonly executable: string;
  readonly version: readonly [number, number, number];
  /** Version of the package `llmstep` in it; null where there is none. */
  readonly llmstep: string | null;
  /** Whether it can make virtual environments with pip. */
  readonly canMakeEnvironments: boolean;
}

export type Probed =
  | { readonly kind: 'python'; readonly python: Python }
  | { readonly kind: 'tooOld'; readonly version: string }
  | { readonly kind: 'broken'; readonly message: string };

const QUESTION = `
import importlib.util, json, sys
def has(name):
    return importlib.util.find_spec(name) is not None
version = None
if has("llmstep"):
    try:
        import importlib.metadata
        version = importlib.metadata.version("llmstep")
    except Exception:
        pass
print(json.dumps({
    "executable": sys.executable,
    "version": list(sys.version_info[:3]),
    "llmstep": version,
    "canMakeEnvironments": has("venv") and has("ensurepip"),
}))
`;

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

/** Ask an interpreter about itself, in the extension's folder, so that nothing of a workspace is imported. */
export async function probe(command: string, args: readonly string[] = []): Promise<Probed> {
  const outcome = await run(command, [...args, '-c', QUESTION], { cwd: __dirname, timeoutMs: 30_000 });
  if (outcome.kind === 'notStarted') {
    return { kind: 'broken', message: outcome.message };
  }
  if (outcome.kind === 'cancelled') {
    return { kind: 'broken', message: 'it did not answer within 30 seconds' };
  }
  const python = read(outcome.stdout);
  if (python === undefined) {
    return { kind: 'broken', message: outcome.stderr.split('\n').at(-1)?.trim() ?? `exit status ${outcome.code}` };
  }
  const [major, minor] = python.version;
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return { kind: 'tooOld', version: python.version.join('.') };
  }
  return { kind: 'python', python };
}

function read(stdout: string): Python | undefined {
  try {
    const answer = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Python;
    return typeof answer.executable === 'string' && Array.isArray(answer.version) ? answer : undefined;
  } catch {
    return undefined;
  }
}
