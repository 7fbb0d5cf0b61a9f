import * as path from 'node:path';
import * as vscode from 'vscode';
import { run } from '../process';

/** A command line. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** Where packages come from. */
export interface Source {
  /** A package index other than the usual one. */
  readonly index?: string | undefined;
  /** A folder of wheels; then nothing comes from a network. */
  readonly wheelhouse?: string | undefined;
  /** A file with the exact versions to take of what is installed. */
  readonly versions?: string | undefined;
}

/** A tool that makes virtual environments and installs into them. */
export interface Tool {
  makeEnvironment(root: string): Command;
  /** A command that succeeds where the tool can install into an environment that is there. */
  tryOut(python: string): Command;
  /** Install what is missing. */
  install(python: string, what: string, source: Source): Command;
  /** Install a wheel in place of the same version. */
  replace(python: string, wheel: string): Command;
}

/** Python's own `venv` and `pip`. */
export function pip(base: string): Tool {
  const call = (python: string, ...args: string[]): Command => ({
    command: python,
    args: ['-I', '-m', 'pip', '--disable-pip-version-check', '--no-input', ...args],
  });
  return {
    makeEnvironment: (root) => ({ command: base, args: ['-I', '-m', 'venv', '--clear', root] }),
    tryOut: (python) => call(python, '--version'),
    install: (python, what, source) => call(python, 'install', ...from(source), what),
    replace: (python, wheel) => call(python, 'install', '--no-index', '--no-deps', '--force-reinstall', wheel),
  };
}

/** `uv`, which also brings a Python where there is none. */
export function uv(command: string, base?: string): Tool {
  return {
    makeEnvironment: (root) => ({ command, args: ['venv', '--clear', '--python', base ?? '>=3.10', root] }),
    tryOut: () => ({ command, args: ['--version'] }),
    install: (python, what, source) => ({
      command,
      args: ['pip', 'install', '--python', python, ...from(source), what],
    }),
    replace: (python, wheel) => ({
      command,
      args: ['pip', 'install', '--python', python, '--no-index', '--no-deps', '--reinstall', wheel],
    }),
  };
}

function from({ index, wheelhouse, versions }: Source): string[] {
  if (wheelhouse !== undefined) {
    return ['--no-index', '--find-links', wheelhouse];
  }
  const constraint = versions === undefined ? [] : ['--constraint', versions];
  return [...constraint, ...(index === undefined ? [] : ['--index-url', index])];
}

/** Whether a tool failed because there are no such versions for this Python or system. */
export function lacksVersions(stdout: string, stderr: string): boolean {
  return knownReason(stdout, stderr) === undefined && /No matching distribution|ResolutionImpossible|No solution found|requires a different Python/i.test(`${stdout}\n${stderr}`);
}

/** The variables of the environment, without those that would send an installation elsewhere; `proxy` are VS Code's. */
export function toolEnvironment(from: NodeJS.ProcessEnv, proxy: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = { ...from, ...proxy };
  for (const name of ['PIP_TARGET', 'PIP_PREFIX', 'PIP_USER', 'PIP_ROOT', 'PYTHONHOME', 'PYTHONPATH', 'VIRTUAL_ENV']) {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
    delete kept[name];
  }
  return { ...kept, PYTHONUNBUFFERED: '1', NO_COLOR: '1' };
}

const STEP = /^(?:Collecting|Downloading|Downloaded|Processing|Installing|Resolved|Prepared|Successfully installed) .{1,70}/;

/** What a line of the tool's output says about its work; undefined where it says nothing new. */
export function readStep(line: string): string | undefined {
  return STEP.exec(line.trim())?.[0];
}

/** Why a tool failed, and what helps. */
export interface Reason {
  readonly reason: string;
  readonly hint: string;
}

const KINDS: readonly (readonly [RegExp, Reason])[] = [
  [
    /CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate|SSLError/i,
    { reason: 'the certificate of the package index is not trusted', hint: 'Check the proxy, or name its certificate with PIP_CERT (uv: SSL_CERT_FILE).' },
  ],
  [
    /NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|name resolution|getaddrinfo failed|Network is unreachable|dns error|error sending request/i,
    { reason: 'the package index cannot be reached', hint: 'Check the network and the setting http.proxy, or set llmstep.install.wheelhouse.' },
  ],
  [/No space left|Errno 28|disk full/i, { reason: 'the disk is full', hint: 'Free some space.' }],
];

/** Why a tool failed where what it says does not tell by itself; undefined for all other reasons. */
export function knownReason(stdout: string, stderr: string): Reason | undefined {
  return KINDS.find(([pattern]) => pattern.test(`${stdout}\n${stderr}`))?.[1];
}

/** The line of a failed tool's output that says best what went wrong. */
export function reasonOf(stdout: string, stderr: string): string {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const errors = lines.filter((line) => /^(ERROR|error|×|╰─▶|\w*Error)\b[: ]?/.test(line) || line.startsWith('╰─▶'));
  const told = errors.at(-1) ?? lines.at(-1) ?? 'no reason was given';
  return told.replace(/^(ERROR|error|×|╰─▶):?\s*/, '').replace(/\.$/, '');
}

/** The command of `uv`: on PATH, or where its installer puts it; undefined where there is none. */
export async function findUv(environment: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const home = environment.HOME ?? environment.USERPROFILE ?? '';
  const name = process.platform === 'win32' ? 'uv.exe' : 'uv';
  const folders = [...(environment.PATH ?? '').split(path.delimiter), path.join(home, '.local', 'bin')];
  for (const folder of folders.filter((each) => path.isAbsolute(each))) {
    const command = path.join(folder, name);
    const outcome = await run(command, ['--version'], { timeoutMs: 10_000 });
    if (outcome.kind === 'done' && outcome.code === 0) {
      return command;
    }
  }
  return undefined;
}

const NAMES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
const DIRECT = ['localhost', '127.0.0.1', '::1'];

/** The environment's variables for a proxy that only VS Code knows; none where the environment names one itself. */
export function proxyVariables(environment: NodeJS.ProcessEnv, proxy = proxyOfSettings()): NodeJS.ProcessEnv {
  if (proxy === '' || NAMES.some((name) => (environment[name] ?? '') !== '')) {
    return {};
  }
  const direct = [environment.NO_PROXY ?? environment.no_proxy ?? '', ...DIRECT].filter((each) => each !== '');
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct.join(',') };
}

function proxyOfSettings(): string {
  const http = vscode.workspace.getConfiguration('http');
  return http.get<string>('proxySupport') === 'off' ? '' : (http.get<string>('proxy') ?? '').trim();
}
