import * as vscode from 'vscode';
import type { Status } from './server/protocol';
import type { SessionState } from './server/session';

/** What the status item shows. */
export interface StatusView {
  readonly text: string;
  readonly detail: string;
  readonly busy: boolean;
  readonly severity: vscode.LanguageStatusSeverity;
  /** What the link beside it does: end what is going on, or offer the actions. */
  readonly command: vscode.Command;
}

const ACTIONS: vscode.Command = { title: 'Actions…', command: 'llmstep.showActions' };
const STOP: vscode.Command = { title: 'Stop', command: 'llmstep.stop' };

const STATES: Readonly<Record<Status['state'], string>> = {
  empty: 'no model in memory',
  idle: 'idle',
  downloading: 'downloading',
  loading: 'loading',
  generating: 'generating',
  goal: 'asking Lean for the goal',
  checking: 'checking',
};

/** Whether something goes on. */
export function isBusy({ state }: Status): boolean {
  return state !== 'idle' && state !== 'empty';
}

/** The status in words: model and device, then what is going on and how long the last answer took. */
export function view(session: SessionState, status: Status | undefined, trusted: boolean): StatusView {
  const { Information: severity, Warning } = vscode.LanguageStatusSeverity;
  if (!trusted || session === 'stopped') {
    const detail = trusted ? 'does not run' : 'waits until the workspace is trusted';
    return { text: 'llmstep', detail, busy: false, severity: Warning, command: ACTIONS };
  }
  if (session === 'starting' || status === undefined) {
    return { text: 'llmstep', detail: 'starting', busy: true, severity, command: ACTIONS };
  }
  const { state, model, selected, lastMs, message } = status;
  const busy = isBusy(status);
  const last = lastMs === null ? [] : [`last ${Math.round(lastMs)} ms`];
  return {
    text: [shortName(model || selected || 'llmstep'), ...where(status)].join(' · '),
    detail: [message === '' ? STATES[state] : message, ...last].join(' · '),
    busy,
    severity,
    command: busy ? STOP : ACTIONS,
  };
}

/** The language status item of Lean files. */
export class StatusItem implements vscode.Disposable {
  readonly #item: vscode.LanguageStatusItem;
  #session: SessionState = 'stopped';
  #status: Status | undefined;

  constructor() {
    this.#item = vscode.languages.createLanguageStatusItem('llmstep.status', [{ language: 'lean4' }, { language: 'lean' }]);
    this.#item.name = 'llmstep';
    this.#show();
  }

  /** What the server said last; undefined before it said anything. */
  get status(): Status | undefined {
    return this.#status;
  }

  session(state: SessionState): void {
    this.#session = state;
    if (state !== 'running') {
      this.#status = undefined;
    }
    this.#show();
  }

  server(status: Status): void {
    this.#status = status;
    this.#show();
  }

  dispose(): void {
    this.#item.dispose();
  }

  #show(): void {
    Object.assign(this.#item, view(this.#session, this.#status, vscode.workspace.isTrusted));
  }
}

/** Where the model runs: the device, and whether that is another window's or another machine's. */
function where({ device, engine }: Status): string[] {
  const elsewhere = engine === 'shared' ? ['shared'] : engine === 'openai' || engine === 'llmstep' ? ['remote'] : [];
  return [...(device === '' ? [] : [device]), ...elsewhere];
}

/** A folder's last part; names stay as they are. */
function shortName(model: string): string {
  return model.startsWith('/') || /^[A-Za-z]:\\/.test(model) ? (model.split(/[\\/]/).at(-1) ?? model) : model;
}
