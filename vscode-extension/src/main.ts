import { mkdir } from 'node:fs/promises';
import * as vscode from 'vscode';
import { LSPErrorCodes, type LanguageClient, ResponseError } from 'vscode-languageclient/node';
import { registerCommands } from './commands';
import { Lean4Goals } from './goals';
import { Notifier, commandAction } from './notify';
import { candidates, findPython } from './python/find';
import { launchOf, plan } from './python/launch';
import { plainGoal, serverMessage, statusChanged } from './server/protocol';
import { type Launch, Session } from './server/session';
import { declaredNames, serverSettings } from './settings';

/** Everything that lives from activation to deactivation. */
export class Extension {
  readonly log = vscode.window.createOutputChannel('llmstep', { log: true });
  readonly notify = new Notifier(this.log);
  readonly goals = new Lean4Goals(this.log);
  readonly session: Session;

  constructor(readonly context: vscode.ExtensionContext) {
    const names = declaredNames(context.extension.packageJSON);
    this.session = new Session({
      log: this.log,
      launch: () => this.#launch(),
      settings: () => ({ ...serverSettings(names), goalProvider: this.goals.available ? 'client' : 'server' }),
      prepare: (client) => { this.#prepare(client); },
      crashed: (again) => { void this.#crashed(again); },
      failed: (error) => { void this.#failed(error); },
    });
  }

  activate(): void {
    const { context } = this;
    context.subscriptions.push(this.log, this.goals, this.session, ...registerCommands(this));
    context.subscriptions.push(
      this.goals.onDidChange(() => void this.session.configure()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.session.start()),
    );
    this.goals.connect();
    if (vscode.workspace.isTrusted) {
      void this.session.start();
    }
  }

  async deactivate(): Promise<void> {
    await this.session.stop();
  }

  /** Tell of a failed request to the server, unless it or the user has ended it, or the server has told already. */
  tell(error: unknown): void {
    if (!(error instanceof ResponseError)) {
      return;
    }
    const ended: number[] = [
      LSPErrorCodes.RequestCancelled,
      LSPErrorCodes.ServerCancelled,
      LSPErrorCodes.ContentModified,
    ];
    if (!ended.includes(error.code) && (error.data as { code?: string } | undefined)?.code === undefined) {
      void this.notify.error(error.message);
    }
  }

  async #launch(): Promise<Launch | undefined> {
    const next = plan(await findPython(await candidates()), undefined, false);
    if (next.kind !== 'start') {
      void this.notify.error('No Python with llmstep was found.', commandAction('Open Settings', 'workbench.action.openSettings', 'llmstep.python'));
      return undefined;
    }
    const folder = this.context.globalStorageUri.fsPath;
    await mkdir(folder, { recursive: true });
    return launchOf(next.python, next.managed, folder, {});
  }

  #prepare(client: LanguageClient): void {
    client.onRequest(plainGoal, ({ textDocument, position }, token) => this.goals.ask(textDocument.uri, position, token));
    client.onNotification(serverMessage, ({ kind, message, hint }) => {
      const sentence = `${message} ${hint}`.trimEnd();
      void (kind === 'info' ? this.notify.info(sentence) : this.notify.error(sentence));
    });
    client.onNotification(statusChanged, () => undefined);
  }

  async #crashed(again: boolean): Promise<void> {
    if (again) {
      await this.notify.warning('The llmstep server stopped unexpectedly and was started again.', commandAction('Show Log', 'llmstep.showLog'));
    } else {
      await this.notify.error('The llmstep server stopped four times in three minutes, so it stays stopped.', commandAction('Restart', 'llmstep.restart'));
    }
  }

  async #failed(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    await this.notify.error(`The llmstep server did not start: ${reason}`, commandAction('Restart', 'llmstep.restart'));
  }
}
