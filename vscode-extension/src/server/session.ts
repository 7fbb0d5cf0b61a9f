import * as vscode from 'vscode';
import { ExecuteCommandRequest, LanguageClient, State, WorkDoneProgress } from 'vscode-languageclient/node';
import { COMPANION, NotRunning, type SessionHost, clientOptions } from './options';
import { type Known, type Place, known } from './protocol';

export type SessionState = 'stopped' | 'starting' | 'running';

const MOST_CRASHES = 4;
const CRASHES_WITHIN_MS = 180_000;

/** One language server and its client: start, stop, restart, and what happens when it dies. */
export class Session implements vscode.Disposable {
  #client: LanguageClient | undefined;
  #state: SessionState = 'stopped';
  #work: Promise<void> = Promise.resolve();
  #crashes: number[] = [];
  readonly #changed = new vscode.EventEmitter<SessionState>();

  readonly onDidChangeState = this.#changed.event;

  constructor(private readonly host: SessionHost) {}

  get state(): SessionState {
    return this.#state;
  }

  /** The process id of the server; undefined while none runs. */
  get pid(): number | undefined {
    return this.#client?.serverProcess?.pid;
  }

  /** Start, unless it runs; `unasked` with the window. Work on the session is done one after the other. */
  start(unasked = false): Promise<void> {
    return this.#next(() => this.#start(unasked));
  }

  stop(): Promise<void> {
    return this.#next(() => this.#stop());
  }

  restart(): Promise<void> {
    return this.#next(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  /** Tell the server its settings. */
  async configure(): Promise<void> {
    if (this.#state === 'running') {
      const settings = { llmstep: this.host.settings() };
      await this.#client?.sendNotification('workspace/didChangeConfiguration', { settings });
    }
  }

  /**
   * Run a command of the server, which is started first if need be.
   *
   * @throws ResponseError as the server answers; Error when there is no server.
   */
  async execute<T>(
    command: string,
    argument?: unknown,
    options: { token?: vscode.CancellationToken; onProgress?: (value: { message?: string; percentage?: number }) => void } = {},
  ): Promise<T> {
    await this.start();
    const client = this.#client;
    if (client === undefined) {
      throw new NotRunning();
    }
    const { token, onProgress } = options;
    const workDoneToken = crypto.randomUUID();
    const listener = onProgress && client.onProgress(WorkDoneProgress.type, workDoneToken, onProgress);
    try {
      const params = {
        command,
        arguments: argument === undefined ? [] : [argument],
        ...(onProgress === undefined ? {} : { workDoneToken }),
      };
      return (await client.sendRequest(ExecuteCommandRequest.type, params, token)) as T;
    } finally {
      listener?.dispose();
    }
  }

  /** What the server knows for the goal at a place; null where that is nothing, or where no server runs. */
  async known(place: Place): Promise<Known | null> {
    const client = this.#state === 'running' ? this.#client : undefined;
    return (await client?.sendRequest(known, place).catch(() => null)) ?? null;
  }

  dispose(): void {
    void this.stop();
    this.#changed.dispose();
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work, work);
    return this.#work;
  }

  async #start(unasked = false): Promise<void> {
    if (this.#client !== undefined) {
      return;
    }
    this.#set('starting');
    try {
      const launch = await this.host.launch(unasked);
      if (launch === undefined) {
        this.#set('stopped');
        return;
      }
      const { command, args, cwd, env } = launch;
      this.host.log.info(`Starting ${[command, ...args].join(' ')}`);
      const client = new LanguageClient(
        'llmstep',
        'llmstep',
        { command, args: [...args], options: { cwd, env } },
        clientOptions(this.host, () => this.configure()),
      );
      client.registerFeature(COMPANION);
      client.onDidChangeState(({ newState }) => { this.#follow(client, newState); });
      this.host.prepare(client);
      this.#client = client;
      await client.start();
      this.#set('running');
    } catch (error) {
      const client = this.#client;
      this.#client = undefined;
      this.#set('stopped');
      await client?.dispose().catch(() => undefined);
      this.host.failed(error);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#crashes = [];
    if (client !== undefined) {
      try {
        await client.dispose(3000);
      } catch (error) {
        this.host.log.warn(`While stopping the server: ${String(error)}`);
      }
    }
    this.#set('stopped');
  }

  #follow(client: LanguageClient, state: State): void {
    if (client !== this.#client) {
      return; // asked for, by `stop` or a failed start
    }
    if (state === State.Running) {
      this.#set('running');
    } else if (state === State.Stopped && this.#state === 'running') {
      this.#died(client);
    }
  }

  #died(client: LanguageClient): void {
    this.#client = undefined;
    this.#set('stopped');
    client.dispose().catch(() => undefined);
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASHES_WITHIN_MS), now];
    const again = this.#crashes.length < MOST_CRASHES;
    if (again) {
      void this.start();
    }
    this.host.crashed(again);
  }

  #set(state: SessionState): void {
    if (state !== this.#state) {
      this.#state = state;
      this.#changed.fire(state);
    }
  }
}
