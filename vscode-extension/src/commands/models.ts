import * as vscode from 'vscode';
import type { Notifier } from '../notify';
import type { ModelEntry } from '../server/protocol';
import type { Session } from '../server/session';
import { changeSetting } from '../settings';
import { withProgress } from './run';

/** A model in the picker; an empty name stands for one that the user types. */
export interface ModelItem extends vscode.QuickPickItem {
  readonly name: string;
  readonly entry?: ModelEntry;
}

const OTHER: ModelItem = {
  name: '',
  label: '$(edit) Another model…',
  detail: 'A Hugging Face id, or a folder on this machine',
};

/** The commands that choose and download models. */
export class ModelCommands {
  constructor(
    private readonly session: Session,
    private readonly notify: Notifier,
  ) {}

  /** Let the user pick a model, download it if need be, switch to it, and keep it in the settings. */
  async select(given?: unknown): Promise<string | undefined> {
    const item = typeof given === 'string' ? await this.#named(given) : await this.#pick('Select a model', () => true);
    if (item === undefined || !(await this.#mayDownload(item))) {
      return undefined;
    }
    const argument = { model: item.name, load: true };
    await withProgress(this.session, `Switching to ${item.name}`, 'llmstep.selectModel', argument);
    await changeSetting('model', item.name);
    void this.notify.info(`llmstep now uses ${item.name}.`);
    return item.name;
  }

  /** Download a model without using it yet. */
  async download(given?: unknown): Promise<string | undefined> {
    const item =
      typeof given === 'string'
        ? await this.#named(given)
        : await this.#pick('Download a model', ({ cached }) => !cached);
    if (item === undefined || !(await this.#mayDownload(item))) {
      return undefined;
    }
    await withProgress(this.session, `Downloading ${item.name}`, 'llmstep.downloadModel', { model: item.name });
    void this.notify.info(`${item.name} is on this machine.`, {
      title: 'Use It',
      run: () => vscode.commands.executeCommand('llmstep.selectModel', item.name),
    });
    return item.name;
  }

  async #pick(title: string, fits: (entry: ModelEntry) => boolean): Promise<ModelItem | undefined> {
    const entries = await this.session.execute<ModelEntry[]>('llmstep.models');
    const items = [...entries.filter(fits).map(itemOf), OTHER];
    const picked = await vscode.window.showQuickPick(items, { title, matchOnDescription: true, matchOnDetail: true });
    return picked === OTHER ? this.#ask(title) : picked;
  }

  async #ask(title: string): Promise<ModelItem | undefined> {
    const name = await vscode.window.showInputBox({ title, prompt: 'Hugging Face id (owner/name), or a folder' });
    return name === undefined || name.trim() === '' ? undefined : { name: name.trim(), label: name.trim() };
  }

  async #named(name: string): Promise<ModelItem> {
    const entries = await this.session.execute<ModelEntry[]>('llmstep.models');
    const entry = entries.find((each) => each.name === name || each.repoId === name);
    return entry === undefined ? { name, label: name } : itemOf(entry);
  }

  /** Nothing is downloaded without your consent. */
  async #mayDownload({ name, entry }: ModelItem): Promise<boolean> {
    if (entry?.cached === true || (entry === undefined && /^[.~/\\]|^[A-Za-z]:/.test(name))) {
      return true;
    }
    const question =
      entry === undefined
        ? `Download ${name}, unless it is on this machine already?`
        : `${name} is not on this machine. Download it${entry.sizeBytes === null ? '' : ` (${bytes(entry.sizeBytes)})`}?`;
    const detail = entry === undefined ? '' : `Licence: ${entry.licence ?? 'not stated'}. ${codeNote(entry)}`.trim();
    const answer = await vscode.window.showInformationMessage(question, { modal: true, detail }, 'Download');
    return answer === 'Download';
  }
}

/** An entry of the catalog as the picker shows it; what tells models apart comes first, since long lines are cut. */
export function itemOf(entry: ModelEntry): ModelItem {
  const { name, active, cached, recommended, summary, sizeBytes, licence, score, scoreSource } = entry;
  const marks = [
    ...(active ? ['active'] : []),
    ...(recommended ? ['recommended for this machine'] : []),
    cached ? 'on this machine' : 'not downloaded',
    ...(sizeBytes === null ? [] : [bytes(sizeBytes)]),
    `licence ${licence ?? 'not stated'}`,
    ...(score === null ? [] : [`miniF2F-test ${score}`]),
  ];
  const facts = [
    ...(sizeBytes === null ? [] : [needs(entry)]),
    ...(entry.trustRemoteCode ? ['runs code of its own'] : []),
    summary,
    ...(score === null ? [] : [`score reported by ${scoreSource ?? 'others'}`]),
  ];
  return {
    name,
    entry,
    label: `${active ? '$(check)' : cached ? '$(database)' : '$(cloud-download)'} ${name}`,
    description: marks.join(' · '),
    detail: facts.join(' · '),
  };
}

/** Memory that a model needs, by the server's rule. */
export function needs({ cpuBytes, gpuBytes }: ModelEntry): string {
  if (cpuBytes === null || gpuBytes === null) {
    return 'runs on any CPU';
  }
  return `needs ${bytes(gpuBytes)} on a GPU or ${bytes(cpuBytes)} on the CPU`;
}

export function bytes(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(count / 1e6))} MB`;
}

function codeNote({ trustRemoteCode }: ModelEntry): string {
  return trustRemoteCode ? 'It brings Python code of its own, which llmstep.trustRemoteCode has to allow.' : '';
}
