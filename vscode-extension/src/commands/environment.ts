import * as vscode from 'vscode';
import type { EnvironmentKeeper } from '../environment/keeper';
import { API_KEY, type Launcher, baseOf } from '../launcher';
import { type Notifier, anotherPython } from '../notify';
import type { Session } from '../server/session';

/** The commands that install, repair and remove, and keep the key of a remote server. */
export class EnvironmentCommands {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly launcher: Launcher,
    private readonly keeper: EnvironmentKeeper,
    private readonly session: Session,
    private readonly notify: Notifier,
  ) {}

  /** Install what is missing, or bring what is there in order again. */
  async install(): Promise<void> {
    const { next, state, found } = await this.launcher.look();
    if (next.kind === 'start' && !next.managed) {
      void this.notify.info(
        `llmstep ${next.python.llmstep ?? ''} is installed in ${next.python.executable}, and is used from there.`,
        anotherPython(),
      );
    } else if (next.kind === 'install') {
      await this.keeper.offer(next.base, state.kind !== 'absent', () => void this.session.restart());
    } else if (next.kind === 'start') {
      await this.session.stop();
      if (await this.keeper.install(baseOf(found, next.python))) {
        await this.session.start();
      }
    } else {
      await this.session.restart(); // tells what is wrong
    }
  }

  /** Add PyTorch to the extension's own environment; what is in one of the user's the server's message has said. */
  async installTorch(): Promise<void> {
    const { next, found } = await this.launcher.look();
    if (next.kind === 'start' && next.managed) {
      await this.keeper.addTorch(baseOf(found, next.python), () => this.session.stop());
      await this.session.start();
    }
  }

  async uninstall(): Promise<void> {
    const detail = 'The models that were downloaded stay.';
    const question = 'Remove the Python environment of llmstep?';
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Remove')) !== 'Remove') {
      return;
    }
    await this.session.stop();
    await this.keeper.remove();
  }

  /** Ask for the key of the remote server; an empty one removes it. It never stands in the settings. */
  async setApiKey(): Promise<void> {
    const key = await vscode.window.showInputBox({
      title: 'Key of the remote server',
      prompt: 'It is kept in the secret storage of VS Code; an empty one removes it.',
      password: true,
      ignoreFocusOut: true,
    });
    if (key === undefined) {
      return;
    }
    await (key === '' ? this.context.secrets.delete(API_KEY) : this.context.secrets.store(API_KEY, key));
    await this.session.restart();
  }
}
