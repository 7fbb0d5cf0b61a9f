import * as vscode from 'vscode';
import type { QuickFixAsk } from '../server/options';

const ASKED_ANEW_MS = 1500;
/** How long VS Code puts off a question of its own behind one of the user's (500 ms), and some room for a busy machine. */
const PUT_OFF_MS = 800;
const SHOWN_MS = 1000;
const TRIES = 3;

/** A menu of quick fixes that a command opens when it has something to show. */
export class Menu {
  readonly #askedAnew: Promise<unknown>;

  /**
   * @param asked - What VS Code has asked for quick fixes.
   * @param fromLightbulb - Whether the command was itself taken from such a menu. VS Code then asks for quick fixes anew
   * as soon as the command has ended, takes note of that half a second later, and gives up a menu that is on its way by
   * then, sometimes without telling anybody; so it is opened after that.
   */
  constructor(
    private readonly asked: vscode.Event<QuickFixAsk>,
    fromLightbulb: boolean,
  ) {
    this.#askedAnew = fromLightbulb ? this.#noted() : Promise.resolve();
  }

  async open(): Promise<void> {
    await this.#askedAnew;
    for (let tries = 0; tries < TRIES; tries++) {
      const answered = this.#next(false, SHOWN_MS);
      await vscode.commands.executeCommand('editor.action.quickFix');
      if ((await answered)?.cancelled !== true) {
        return;
      }
    }
  }

  async #noted(): Promise<void> {
    if ((await this.#next(true, ASKED_ANEW_MS)) !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, PUT_OFF_MS));
    }
  }

  /** The next question of a kind, once it is answered or given up; undefined when none came in time. */
  #next(automatic: boolean, milliseconds: number): Promise<QuickFixAsk | undefined> {
    return new Promise((resolve) => {
      const done = (ask?: QuickFixAsk): void => {
        clearTimeout(timer);
        listener.dispose();
        resolve(ask);
      };
      const timer = setTimeout(done, milliseconds);
      const listener = this.asked((ask) => {
        if (ask.automatic === automatic) {
          done(ask);
        }
      });
    });
  }
}
