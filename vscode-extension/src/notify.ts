import * as vscode from 'vscode';

/** A button of a notification. */
export interface Action {
  readonly title: string;
  readonly run: () => unknown;
}

type Show = (message: string, ...titles: string[]) => Thenable<string | undefined>;

/** How notifications reach the user; the tests put their own in. */
export interface Toasts {
  readonly error: Show;
  readonly warning: Show;
  readonly information: Show;
}

const WORKBENCH: Toasts = {
  error: (message, ...titles) => vscode.window.showErrorMessage(message, ...titles),
  warning: (message, ...titles) => vscode.window.showWarningMessage(message, ...titles),
  information: (message, ...titles) => vscode.window.showInformationMessage(message, ...titles),
};

/**
 * The one door for notifications. What holds for all of them:
 * - one sentence says what happened, a second one at most what to do next;
 * - an error has a button that helps, the log if nothing better;
 * - what happens again is shown again: VS Code puts it in place of the same one before, which may lie unseen in the bell.
 */
export class Notifier {
  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly toasts: Toasts = WORKBENCH,
  ) {}

  /** Something failed. Resolves when the user has pressed a button or closed it. */
  error(message: string, ...actions: Action[]): Promise<void> {
    this.log.error(message);
    return this.#show(this.toasts.error, message, [...actions, this.#showLog()]);
  }

  /** Something needs the user's attention, but works. */
  warning(message: string, ...actions: Action[]): Promise<void> {
    this.log.warn(message);
    return this.#show(this.toasts.warning, message, actions);
  }

  /** Something that the user waited for. */
  info(message: string, ...actions: Action[]): Promise<void> {
    this.log.info(message);
    return this.#show(this.toasts.information, message, actions);
  }

  async #show(show: Show, message: string, actions: readonly Action[]): Promise<void> {
    const chosen = await show(message, ...actions.map((action) => action.title));
    await actions.find((action) => action.title === chosen)?.run();
  }

  #showLog(): Action {
    return { title: 'Show Log', run: () => { this.log.show(true); } };
  }
}

/** The button for another Python than the one that was found. */
export function anotherPython(): Action {
  return commandAction('Use Another Python…', 'workbench.action.openSettings', 'llmstep.python');
}

/** A button that runs a command. */
export function commandAction(title: string, command: string, ...args: unknown[]): Action {
  return { title, run: () => vscode.commands.executeCommand(command, ...args) };
}
