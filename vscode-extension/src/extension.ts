import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { EnvironmentKeeper } from './environment/keeper';
import { Lean4Goals } from './goals';
import { Launcher } from './launcher';
import { remembering } from './log';
import { Notifier, commandAction } from './notify';
import { SuggestionsPanel } from './panel/panel';
import { show } from './server/messages';
import { checkSuggestions, knownChanged, plainGoal, serverMessage, statusChanged } from './server/protocol';
import { Session } from './server/session';
import { serverSettings, setting, tellTacticPort } from './settings';
import { StatusItem } from './status';

const SHOW_LOG = commandAction('Show Log', 'llmstep.showLog');
const RESTART = commandAction('Restart', 'llmstep.restart');

/** Everything that lives from activation to deactivation, what the commands work with, and how its parts hear of each other. */
export class Extension {
  /** The last lines of the log. */
  readonly logLines: string[] = [];
  readonly log = remembering(vscode.window.createOutputChannel('llmstep', { log: true }), this.logLines);
  readonly notify = new Notifier(this.log);
  readonly goals = new Lean4Goals(this.log);
  readonly status = new StatusItem();
  readonly keeper: EnvironmentKeeper;
  readonly launcher: Launcher;
  readonly session: Session;
  readonly panel: SuggestionsPanel;

  constructor(readonly context: vscode.ExtensionContext) {
    this.keeper = new EnvironmentKeeper(context, this.log, this.notify);
    this.launcher = new Launcher(context, this.log, this.notify, this.keeper, () => void this.session.restart());
    this.session = new Session({
      log: this.log,
      launch: (unasked) => this.launcher.launch(unasked),
      settings: () => ({ ...serverSettings(), ...this.#providers() }),
      prepare: (client) => { this.#prepare(client); },
      crashed: (again) => { this.#crashed(again); },
      failed: (error) => { this.#failed(error); },
    });
    this.panel = new SuggestionsPanel(context.extensionUri, this.session, this.status, this.notify);
  }

  activate(): void {
    tellTacticPort(); // first of all: the Lean 4 extension starts its server at the same time
    this.context.subscriptions.push(
      this.log,
      this.goals,
      this.status,
      this.session,
      this.panel,
      this.session.onDidChangeState((state) => { this.status.session(state); }),
      this.goals.onDidChange(() => void this.session.configure()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.session.start(true)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('llmstep.python')) {
          void this.session.restart();
        }
        if (event.affectsConfiguration('llmstep.http.port')) {
          tellTacticPort();
        }
      }),
    );
    this.goals.connect();
    if (vscode.workspace.isTrusted) {
      void this.session.start(true); // Lean runs code of the workspace
    }
  }

  /** Who gives goals and checks. */
  #providers(): Record<'goalProvider' | 'checkProvider', 'client' | 'server'> {
    const who = this.goals.available && setting<boolean>('goalsFromLean4Extension') ? 'client' : 'server';
    return { goalProvider: who, checkProvider: who };
  }

  #prepare(client: LanguageClient): void {
    client.onRequest(plainGoal, ({ textDocument, position }, token) => this.goals.ask(textDocument.uri, position, token));
    client.onRequest(checkSuggestions, (asked, token) => this.goals.check(asked, token));
    client.onNotification(serverMessage, (message) => void show(this.notify, message));
    client.onNotification(knownChanged, () => { this.panel.later(); });
    client.onNotification(statusChanged, (status) => {
      this.status.server(status);
      this.panel.later();
    });
  }

  #crashed(again: boolean): void {
    void (again
      ? this.notify.warning('The llmstep server stopped unexpectedly and was started again.', SHOW_LOG)
      : this.notify.error('The llmstep server stopped four times in three minutes, so it stays stopped.', RESTART));
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    void this.notify.error(`The llmstep server did not start: ${reason}`, RESTART);
  }
}
