import { mkdir } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { EnvironmentKeeper } from './environment/keeper';
import { proxyVariables, findUv } from './environment/tools';
import { type Notifier, commandAction } from './notify';
import { type Python, candidates, findPython } from './python/find';
import { type Plan, launchOf, plan, type Launch } from './python/launch';

/** Name of the remote server's key in the secret storage. */
export const API_KEY = 'llmstep.apiKey';

const MANAGE_TRUST = commandAction('Manage Trust', 'workbench.trust.manage');
const CHOOSE_PYTHON = commandAction('Choose a Python…', 'workbench.action.openSettings', 'llmstep.python');

/** Finds what to start, and tells the user what is missing where there is nothing. */
export class Launcher {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly notify: Notifier,
    private readonly keeper: EnvironmentKeeper,
    private readonly start: () => void,
  ) {}

  /**
   * The command that starts the server; undefined where something has to be done first, which the user is told.
   *
   * @param unasked - Whether this is the start with the window, and not by a command.
   */
  async launch(unasked: boolean): Promise<Launch | undefined> {
    if (!vscode.workspace.isTrusted) {
      void this.notify.warning('llmstep starts when the workspace is trusted, since Lean runs code of it.', MANAGE_TRUST);
      return undefined;
    }
    const next = await this.look();
    switch (next.kind) {
      case 'start':
        if (next.managed && next.outdated) {
          void this.#update(next.base);
          return undefined;
        }
        return this.#launch(next);
      case 'install':
        if (!(unasked && this.keeper.putOff)) {
          void this.keeper.offer(next.base, next.interrupted, this.start);
        }
        return undefined;
      case 'wrongSetting':
        void this.notify.error(`The Python of the setting llmstep.python, ${next.command}, ${next.reason}. llmstep needs Python 3.10 or newer.`, CHOOSE_PYTHON);
        return undefined;
      case 'noPython':
        void this.notify.error('llmstep needs Python 3.10 or newer, and found none. Install Python or uv.', CHOOSE_PYTHON);
        return undefined;
    }
  }

  /** What follows from what there is. */
  async look(): Promise<Plan> {
    const found = await findPython(await candidates());
    let next = plan(found, { kind: 'absent' }, true); // where the user chose one, the extension's own plays no part
    if (next.kind !== 'start') {
      const state = await this.keeper.inspect();
      const enough = found.kind === 'python' && found.python.canMakeEnvironments;
      next = plan(found, state, !enough && (await findUv()) !== undefined);
      this.log.info(`Python: ${found.kind}; environment: ${state.kind}; next: ${next.kind}`);
    }
    await vscode.commands.executeCommand('setContext', 'llmstep.installed', next.kind === 'start');
    return next;
  }

  /** The interpreter that has llmstep, for other commands than the server. */
  async python(): Promise<{ command: string; args: readonly string[]; env: NodeJS.ProcessEnv } | undefined> {
    const next = await this.look();
    if (next.kind !== 'start') {
      return undefined;
    }
    const { command, args, env } = await this.#launch(next);
    return { command, args: args.slice(0, -1), env };
  }

  /** Where processes run that are outside of any workspace. */
  get folder(): string {
    return this.context.globalStorageUri.fsPath;
  }

  async #launch({ python, managed }: Extract<Plan, { kind: 'start' }>): Promise<Launch> {
    await mkdir(this.folder, { recursive: true });
    const key = await this.context.secrets.get(API_KEY);
    const more = { ...proxyVariables(process.env), ...(key === undefined ? {} : { LLMSTEP_API_KEY: key }) };
    return launchOf(python, managed, this.folder, more);
  }

  async #update(base: Python): Promise<void> {
    if (await this.keeper.install(base)) {
      this.start();
    }
  }
}
