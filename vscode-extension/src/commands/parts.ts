import type * as vscode from 'vscode';
import type { EnvironmentKeeper } from '../environment/keeper';
import type { Launcher } from '../launcher';
import type { Notifier } from '../notify';
import type { SuggestionsPanel } from '../panel/panel';
import type { Session } from '../server/session';
import type { StatusItem } from '../status';

/** What the commands work with. */
export interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly keeper: EnvironmentKeeper;
  readonly launcher: Launcher;
  readonly log: vscode.LogOutputChannel;
  readonly logLines: readonly string[];
  readonly notify: Notifier;
  readonly panel: SuggestionsPanel;
  readonly session: Session;
  readonly status: StatusItem;
}
