import * as vscode from 'vscode';

const SETTLE_MS = 600;

/** A menu of quick fixes that a command opens when it has something to show. */
export class Menu {
  readonly #settled: Promise<void>;

  /**
   * @param fromLightbulb - Whether the command was itself taken from such a menu. VS Code asks for quick fixes anew once
   * the command has ended, and what comes of that closes an open menu; it tells nobody, so that an answer which is there
   * at once has to wait.
   */
  constructor(fromLightbulb: boolean) {
    this.#settled = fromLightbulb ? new Promise((resolve) => setTimeout(resolve, SETTLE_MS)) : Promise.resolve();
  }

  async open(): Promise<void> {
    await this.#settled;
    await vscode.commands.executeCommand('editor.action.quickFix');
  }
}
