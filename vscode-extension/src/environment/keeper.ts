import * as vscode from 'vscode';
import { type Notifier, anotherPython, commandAction } from '../notify';
import type { Plan } from '../python/launch';
import { setting } from '../settings';
import { type InstallHooks, type InstallOutcome, type Order, install } from './install';
import { bundledWheel, fingerprint, placesIn, type EnvironmentState, inspect, readMarker, removeEnvironment } from './disk';
import { proxyVariables, pip, uv, findUv } from './tools';
import { type Torch, type WithTorch, FOOTPRINTS, chooseTorch } from './torch';

/** What an installation starts from: a Python, or `uv` alone. */
export type Base = Extract<Plan, { kind: 'install' }>['base'];

/** Key of the global state: the user does not want to be asked at each start. */
const NOT_NOW = 'llmstep.notNow';

/** Keeps the extension's Python environment: asks, installs with progress, repairs, removes. */
export class EnvironmentKeeper {
  readonly #places;
  #installing: Promise<boolean> | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly notify: Notifier,
  ) {
    this.#places = placesIn(context.globalStorageUri.fsPath);
  }

  /** The environment as it is on the disk. */
  async inspect(): Promise<EnvironmentState> {
    const wheel = await bundledWheel(this.context.extensionPath);
    return inspect(this.#places, { extension: this.#version, wheel: await fingerprint(wheel) });
  }

  /** Ask whether to install, saying what and how large it is. */
  async offer(base: Base, interrupted: boolean, start: () => void): Promise<void> {
    const torch = await this.#torch();
    const { download, disk } = FOOTPRINTS[torch];
    const packages = torch === 'none' ? 'llmstep' : `llmstep and ${titleOf(torch)}`;
    const what = `${packages} (about ${download} to download, ${disk} on the disk)`;
    const place = 'into a Python environment of its own';
    const question = interrupted
      ? `The installation of llmstep was interrupted. It installs ${what} ${place}.`
      : `llmstep installs ${what} ${place}, with ${nameOf(base)}.`;
    await this.notify.info(
      question,
      { title: interrupted ? 'Repair' : 'Install', run: () => this.#then(base, start) },
      ...(interrupted ? [{ title: 'Remove', run: () => this.remove() }] : []),
      anotherPython(),
      { title: 'Not Now', run: () => this.context.globalState.update(NOT_NOW, true) },
    );
  }

  /** Whether the user has put the installation off: then only a command asks. */
  get putOff(): boolean {
    return this.context.globalState.get<boolean>(NOT_NOW) === true;
  }

  /** Ask whether to add PyTorch, which the chosen model needs; true when it is there. */
  async addTorch(base: Base, stop: () => Promise<void>): Promise<boolean> {
    const torch = await chooseTorch(setting<'auto' | Torch>('install.torch'));
    const { download, disk } = FOOTPRINTS[torch];
    const detail = `About ${download} to download, ${disk} on the disk, in llmstep's own Python environment.`;
    const question = `This model needs ${titleOf(torch)}. Install it?`;
    if ((await vscode.window.showInformationMessage(question, { modal: true, detail }, 'Install')) !== 'Install') {
      return false;
    }
    await stop();
    return this.install(base, torch);
  }

  /** Install, repair or update, with progress; true when the environment is whole. A second call joins the first. */
  install(base: Base, torch?: Torch): Promise<boolean> {
    this.#installing ??= this.#install(base, torch).finally(() => {
      this.#installing = undefined;
    });
    return this.#installing;
  }

  async remove(): Promise<void> {
    await removeEnvironment(this.#places);
    await this.notify.info('The Python environment of llmstep was removed.');
  }

  get #version(): string {
    return (this.context.extension.packageJSON as { version: string }).version;
  }

  async #then(base: Base, start: () => void): Promise<void> {
    if (await this.install(base)) {
      start();
    }
  }

  async #install(base: Base, torch?: Torch): Promise<boolean> {
    const order = await this.#order(base, torch);
    if (order === undefined) {
      await this.notify.error(
        `${nameOf(base)} cannot make virtual environments. Install the package python3-venv, or uv.`,
        anotherPython(),
      );
      return false;
    }
    const outcome = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Installing llmstep', cancellable: true },
      (progress, token) => this.#run(order, progress, token),
    );
    await vscode.commands.executeCommand('setContext', 'llmstep.installed', outcome.kind === 'installed');
    await this.context.globalState.update(NOT_NOW, undefined);
    this.#tell(outcome);
    return outcome.kind === 'installed';
  }

  async #run(
    order: Order,
    progress: vscode.Progress<{ message?: string; increment?: number }>,
    token: vscode.CancellationToken,
  ): Promise<InstallOutcome> {
    const aborter = new AbortController();
    token.onCancellationRequested(() => { aborter.abort(); });
    let percent = 0;
    const hooks: InstallHooks = {
      signal: aborter.signal,
      onStep: (step) => {
        progress.report({ message: step.message, increment: Math.max(0, step.percent - percent) });
        percent = Math.max(percent, step.percent);
      },
      onLine: (line) => { this.log.info(line); },
    };
    await vscode.workspace.fs.createDirectory(this.context.globalStorageUri);
    let outcome = await install(order, hooks);
    while (outcome.kind === 'busy' && !aborter.signal.aborted) {
      progress.report({ message: 'Another window installs it' });
      await new Promise((resolve) => setTimeout(resolve, 2000));
      outcome = (await this.inspect()).kind === 'ready' ? { kind: 'installed' } : await install(order, hooks);
    }
    return outcome;
  }

  #tell(outcome: InstallOutcome): void {
    if (outcome.kind === 'installed') {
      void this.notify.info('llmstep is installed.', commandAction('Get Started', 'llmstep.openWalkthrough'));
    } else if (outcome.kind === 'cancelled') {
      void this.notify.info('The installation was cancelled, and its files were removed.');
    } else if (outcome.kind === 'failed') {
      const message = [`${outcome.step} failed: ${outcome.reason}.`, outcome.hint ?? ''].join(' ').trimEnd();
      void this.notify.error(message, commandAction('Try Again', 'llmstep.install'));
    }
  }

  async #order(base: Base, torch?: Torch): Promise<Order | undefined> {
    const canUsePip = base !== 'uv' && base.canMakeEnvironments;
    const uvCommand = canUsePip ? undefined : await findUv();
    if (!canUsePip && uvCommand === undefined) {
      return undefined;
    }
    const executable = base === 'uv' ? undefined : base.executable;
    return {
      places: this.#places,
      tool: uvCommand === undefined ? pip(executable ?? 'python3') : uv(uvCommand, executable),
      wheel: await bundledWheel(this.context.extensionPath),
      extension: this.#version,
      torch: torch ?? (await this.#torch()),
      torchIndexUrl: setting<string>('install.torchIndexUrl'),
      wheelhouse: setting<string>('install.wheelhouse'),
      proxy: proxyVariables(process.env),
    };
  }

  /** PyTorch stays where it is; it is installed from the start where a build was chosen. */
  async #torch(): Promise<WithTorch> {
    const configured = setting<'auto' | Torch>('install.torch');
    const marker = await readMarker(this.#places);
    const wanted = configured !== 'auto' || (marker !== undefined && marker.torch !== 'none');
    return wanted ? chooseTorch(configured) : 'none';
  }
}

function titleOf(torch: Torch): string {
  return `PyTorch for ${torch === 'cpu' ? 'the CPU' : 'NVIDIA GPUs'}`;
}

function nameOf(base: Base): string {
  return base === 'uv' ? 'uv' : `Python ${base.version.join('.')} (${base.executable})`;
}
