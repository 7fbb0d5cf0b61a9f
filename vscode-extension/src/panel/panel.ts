import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { type PlaceArgument, insert, isIn, leanEditor, placeOf } from '../commands/place';
import type { Notifier } from '../notify';
import type { Known } from '../server/protocol';
import type { Session } from '../server/session';
import { setting } from '../settings';
import { type StatusItem, isBusy } from '../status';
import type { PanelRequest, PanelState } from './messages';

export const PANEL = 'llmstep.suggestions';
/** The command of each button that begins a run. */
const RUNS = {
  suggest: 'llmstep.suggest',
  more: 'llmstep.suggest',
  prefix: 'llmstep.suggestWithPrefix',
  prove: 'llmstep.prove',
} as const;
/** Changes that come closer together are shown at once. */
const GATHER_MS = 60;

/** The view with all suggestions for the goal at the cursor. */
export class SuggestionsPanel implements vscode.WebviewViewProvider, vscode.Disposable {
  #view: vscode.WebviewView | undefined;
  #place: PlaceArgument | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  readonly #subscriptions: vscode.Disposable[];

  constructor(
    private readonly extension: vscode.Uri,
    private readonly session: Session,
    private readonly status: StatusItem,
    private readonly notify: Notifier,
  ) {
    const later = (): void => { this.later(); };
    this.#subscriptions = [
      vscode.window.registerWebviewViewProvider(PANEL, this),
      vscode.window.onDidChangeTextEditorSelection(later),
      vscode.window.onDidChangeActiveTextEditor(later),
      vscode.workspace.onDidChangeTextDocument(later),
      vscode.languages.onDidChangeDiagnostics(later),
      session.onDidChangeState(later),
    ];
  }

  async resolveWebviewView(view: vscode.WebviewView): Promise<void> {
    this.#view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [] };
    view.webview.onDidReceiveMessage((request: PanelRequest) => this.#take(request));
    view.onDidChangeVisibility(() => { this.later(); });
    view.onDidDispose(() => { this.#view = undefined; });
    view.webview.html = page(await this.#read('dist', 'panel.js'), await this.#read('media', 'panel.css'));
  }

  /** A run begins: show the view, unless the user does not want that; the editor keeps the focus. */
  async showForRun(): Promise<void> {
    if (setting<boolean>('panel.openOnRun') && this.#view?.visible !== true) {
      await vscode.commands.executeCommand(`${PANEL}.focus`, { preserveFocus: true });
    }
  }

  async show(): Promise<void> {
    await vscode.commands.executeCommand(`${PANEL}.focus`);
  }

  /** Show what is known, soon. */
  later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#refresh();
    }, GATHER_MS);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.forEach((each) => { each.dispose(); });
  }

  /** Insert a known step at a place; what is not known there is not inserted. */
  async insert(place: PlaceArgument, text: string): Promise<boolean> {
    const known = await this.session.known(place);
    const editor = vscode.window.visibleTextEditors.find((each) => isIn(each, place));
    const step = known?.suggestions.find((each) => each.text === text);
    if (step === undefined || editor?.document.version !== known?.version || editor === undefined) {
      void this.notify.info('This step is not known for the goal any more. Ask for suggestions again.');
      return false;
    }
    await vscode.window.showTextDocument(editor.document, { viewColumn: editor.viewColumn ?? vscode.ViewColumn.Active });
    const inserted = await insert(editor, step.edit);
    await vscode.commands.executeCommand('setContext', 'llmstep.accepted', true);
    return inserted;
  }

  async #read(...path: string[]): Promise<string> {
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(this.extension, ...path)));
  }

  async #refresh(): Promise<void> {
    if (this.#view?.visible !== true) {
      return;
    }
    const asked = ++this.#asked;
    const editor = leanEditor();
    const place = editor === undefined ? undefined : placeOf(editor);
    const known = place === undefined ? null : await this.session.known(place);
    if (asked !== this.#asked) {
      return; // a later question has the newer answer
    }
    this.#place = place;
    await this.#view.webview.postMessage(this.#state(editor, known));
  }

  #state(editor: vscode.TextEditor | undefined, known: Known | null): PanelState {
    const running = this.session.state === 'running';
    const { status } = this.status;
    const busy = status !== undefined && isBusy(status);
    const name = editor?.document.uri.path.split('/').at(-1);
    return {
      place: editor === undefined || name === undefined ? '' : `${name}, line ${editor.selection.active.line + 1}`,
      known,
      busy,
      activity: running ? (busy ? status.message || status.state : '') : 'llmstep does not run.',
    };
  }

  async #take(request: PanelRequest): Promise<void> {
    const place = this.#place;
    switch (request.type) {
      case 'ready':
        return this.#refresh();
      case 'leave':
        return vscode.commands.executeCommand('workbench.action.focusActiveEditorGroup');
      case 'stop':
        return vscode.commands.executeCommand('llmstep.stop');
      case 'copy':
        return vscode.env.clipboard.writeText(request.text);
      case 'insert':
        if (place !== undefined) {
          await this.insert(place, request.text);
        }
        break;
      default:
        if (place !== undefined) {
          const argument = request.type === 'more' ? { ...place, more: true } : place;
          await vscode.commands.executeCommand(RUNS[request.type], argument, 'panel');
        }
    }
  }
}

/**
 * The page of the panel. It holds its script and its style sheet, runs nothing else, and loads nothing at all.
 *
 * @param script - The bundled script.
 */
export function page(script: string, style: string): string {
  const nonce = randomBytes(16).toString('base64');
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1.0">
  <title>llmstep suggestions</title>
  <style nonce="${nonce}">${style}</style>
</head>
<body>
  <script nonce="${nonce}">${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>`;
}
