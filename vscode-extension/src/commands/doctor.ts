import * as vscode from 'vscode';
import type { Launcher } from '../launcher';
import { type Notifier, commandAction } from '../notify';
import { run } from '../process';
import type { DoctorOutput } from '../server/protocol';
import { serverSettings } from '../settings';
import { leanEditor } from './place';

type Answer = { readonly page: string } | { readonly page?: undefined; readonly problem: string; readonly install: boolean };

const SCHEME = 'llmstep-doctor';
const MARKS = { ok: '✓', note: '!', missing: '✗' } as const;

/** `llmstep doctor` for the file at hand, shown as a page. */
export class Doctor implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  #page = '';

  readonly onDidChange = this.#changed.event;

  constructor(
    private readonly launcher: Launcher,
    private readonly notify: Notifier,
  ) {}

  provideTextDocumentContent(): string {
    return this.#page;
  }

  /** Examine, and show the page; its text, or undefined where nothing could be run. */
  async examine(): Promise<string | undefined> {
    const answer = await this.#ask();
    if (answer.page === undefined) {
      void this.notify.error(answer.problem, ...(answer.install ? [commandAction('Install…', 'llmstep.install')] : []));
      return undefined;
    }
    this.#page = answer.page;
    const uri = vscode.Uri.parse(`${SCHEME}:llmstep doctor`);
    this.#changed.fire(uri);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
    return this.#page;
  }

  /** What the page says, or why there is none. */
  async report(): Promise<string> {
    const answer = await this.#ask();
    return answer.page ?? answer.problem;
  }

  async #ask(): Promise<Answer> {
    const python = await this.launcher.python();
    if (python === undefined) {
      return { problem: 'llmstep is not installed yet.', install: true };
    }
    const place = placeToLookAt();
    const outcome = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Examining the installation' },
      () => run(python.command, [...python.args, 'doctor', '--json', ...options(), ...(place === undefined ? [] : [place])], {
        env: python.env,
        cwd: this.launcher.folder,
        timeoutMs: 120_000,
      }),
    );
    if (outcome.kind !== 'done') {
      const why = outcome.kind === 'notStarted' ? outcome.message : 'it took more than two minutes';
      return { problem: `The doctor could not finish: ${why}.`, install: false };
    }
    const { stdout, stderr } = outcome;
    return { page: stdout.trimStart().startsWith('{') ? page(JSON.parse(stdout) as DoctorOutput) : `${stdout}\n${stderr}` };
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}

/** The file at hand, else the folder that is open; nothing of a workspace that is not trusted, since Lean would run there. */
function placeToLookAt(): string | undefined {
  if (!vscode.workspace.isTrusted) {
    return undefined;
  }
  const { uri } = leanEditor()?.document ?? {};
  return uri?.scheme === 'file' ? uri.fsPath : vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
}

/** Every setting that somebody has set, as the command line takes it. */
export function options(): string[] {
  return Object.entries(serverSettings()).flatMap(([name, value]) => [
    '--set',
    `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
}

function page({ usable, findings }: DoctorOutput): string {
  const lines = findings.flatMap(({ topic, grade, text, advice }) => [
    `${MARKS[grade]} ${topic}: ${text}`,
    ...(advice === '' ? [] : [`    ${advice}`]),
  ]);
  return [usable ? 'llmstep can be used.' : 'llmstep cannot be used: something that it needs is missing.', '', ...lines, ''].join('\n');
}
