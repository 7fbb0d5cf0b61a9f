import * as vscode from 'vscode';
import type { ModelEntry } from '../server/protocol';
import { changeSetting } from '../settings';
import type { Extension } from '../extension';
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

/** Let the user pick a model, download it if need be, switch to it, and keep it in the settings. */
export async function select(parts: Extension, given?: unknown): Promise<string | undefined> {
  const item = await chosen(parts, given, 'Select a model', () => true);
  if (item === undefined) {
    return undefined;
  }
  const argument = { model: item.name, load: true };
  await withProgress(parts.session, `Switching to ${item.name}`, 'llmstep.selectModel', argument);
  await changeSetting('model', item.name);
  void parts.notify.info(`llmstep now uses ${item.name}.`);
  return item.name;
}

/** Download a model without using it yet. */
export async function download(parts: Extension, given?: unknown): Promise<string | undefined> {
  const item = await chosen(parts, given, 'Download a model', ({ cached }) => !cached);
  if (item === undefined) {
    return undefined;
  }
  await withProgress(parts.session, `Downloading ${item.name}`, 'llmstep.downloadModel', { model: item.name });
  void parts.notify.info(`${item.name} is on this machine.`, {
    title: 'Use It',
    run: () => vscode.commands.executeCommand('llmstep.selectModel', item.name),
  });
  return item.name;
}

/** The model of a name, or the one that the user picks or types; undefined where it may not be downloaded. */
async function chosen(
  { session }: Extension,
  given: unknown,
  title: string,
  fits: (entry: ModelEntry) => boolean,
): Promise<ModelItem | undefined> {
  const entries = await session.execute<ModelEntry[]>('llmstep.models');
  const options = { title, matchOnDescription: true, matchOnDetail: true };
  const picked =
    typeof given === 'string' ? given : await vscode.window.showQuickPick([...entries.filter(fits).map(itemOf), OTHER], options);
  const typed =
    picked === OTHER ? await vscode.window.showInputBox({ title, prompt: 'Hugging Face id (owner/name), or a folder' }) : picked;
  const name = (typeof typed === 'string' ? typed : (typed?.name ?? '')).trim();
  if (name === '') {
    return undefined;
  }
  const entry = entries.find((each) => each.name === name || each.repoId === name);
  const item = entry === undefined ? { name, label: name } : itemOf(entry);
  return (await mayDownload(item)) ? item : undefined;
}

/** Nothing is downloaded without your consent. */
async function mayDownload({ name, entry }: ModelItem): Promise<boolean> {
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
