import { mkdir } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { EnvironmentKeeper } from './environment/keeper';
import type { EnvironmentState } from './environment/state';
import { findUv } from './environment/uv';
import { type Notifier, commandAction } from './notify';
import { type Found, candidates, findPython } from './python/find';
import { type Plan, launchOf, plan } from './python/launch';
import type { Launch } from './server/session';

/** Name of the remote server's key in the secret storage. */
export const API_KEY = 'llmstep.apiKey';

const CHOOSE_PYTHON = commandAction('Choose a Python…', 'workbench.action.openSettings', 'llmstep.python');

/** Finds what to start, and tells the user what is missing where there is nothing. */
export class Launcher {
  #offered = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly notify: Notifier,
    private readonly keeper: EnvironmentKeeper,
    private readonly start: () => void,
  ) {}

  /** The command that starts the server; undefined where something has to be done first, which the user is told. */
  async launch(): Promise<Launch | undefined> {
    const { next, state } = await this.look();
    switch (next.kind) {
      case 'start':
        if (next.managed && state.kind === 'outdated') {
          void this.#update(state.python);
          return undefined;
        }
        return this.#launch(next);
      case 'install':
        this.#offer(next.base, state);
        return undefined;
      case 'wrongSetting':
        void this.notify.error(`The Python of the settings, ${next.command}, ${next.reason}.`, CHOOSE_PYTHON);
        return undefined;
      case 'noPython':
        void this.notify.error('llmstep needs Python 3.10 or newer, and found none. Install Python or uv.', CHOOSE_PYTHON);
        return undefined;
    }
  }

  /** What there is, and what follows from it. */
  async look(): Promise<{ next: Plan; state: EnvironmentState; found: Found }> {
    const found = await findPython(await candidates());
    const state = await this.keeper.inspect();
    const environment = state.kind === 'ready' || state.kind === 'outdated' ? state.python : undefined;
    const enough = found.kind === 'python' && found.python.canMakeEnvironments;
    const next = plan(found, environment, !enough && (await findUv()) !== undefined);
    this.log.info(`Python: ${found.kind}; environment: ${state.kind}; next: ${next.kind}`);
    await vscode.commands.executeCommand('setContext', 'llmstep.installed', next.kind === 'start');
    return { next, state, found };
  }

  /** The interpreter that has llmstep, for other commands than the server. */
  async python(): Promise<{ command: string; args: readonly string[]; env: NodeJS.ProcessEnv } | undefined> {
    const { next } = await this.look();
    if (next.kind !== 'start') {
      return undefined;
    }
    const { command, args, env } = await this.#launch(next);
    return { command, args: args.slice(0, -1), env };
  }

  /** Where processes run that are no business of a workspace. */
  get folder(): string {
    return this.context.globalStorageUri.fsPath;
  }

  async #launch({ python, managed }: Extract<Plan, { kind: 'start' }>): Promise<Launch> {
    await mkdir(this.folder, { recursive: true });
    const key = await this.context.secrets.get(API_KEY);
    return launchOf(python, managed, this.folder, key === undefined ? {} : { LLMSTEP_API_KEY: key });
  }

  /** Once a session: whoever closes the question is not asked again by every command. */
  #offer(base: Extract<Plan, { kind: 'install' }>['base'], state: EnvironmentState): void {
    if (this.#offered) {
      return;
    }
    this.#offered = true;
    void this.keeper.offer(base, state.kind !== 'absent', this.start);
  }

  async #update(python: Parameters<EnvironmentKeeper['install']>[0]): Promise<void> {
    if (await this.keeper.install(python)) {
      this.start();
    }
  }
}
