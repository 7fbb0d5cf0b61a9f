import * as vscode from 'vscode';
import { ErrorCodes, ResponseError } from 'vscode-languageclient/node';
import { checkWith, type LeanClient, isDead, runs, untilItRuns, whileAlive } from './leanClient';
import type { CheckParams, CheckedSuggestions, PlainGoal } from './server/protocol';

export const LEAN4_EXTENSION = 'leanprover.lean4';

/** How long a question waits for a client that starts, or starts again. */
const START_MS = 10_000;
const TRIES = 2;

interface LeanClientProvider {
  findClient(uri: unknown): LeanClient | undefined;
}

interface Lean4Exports {
  readonly lean4EnabledFeatures?: Promise<{ readonly clientProvider: LeanClientProvider }>;
}

/**
 * Goals and checks from the Lean server that the Lean 4 extension runs anyway.
 *
 * That extension's client exists once a Lean file is open and Lean was found, which may be late or never. Until then
 * llmstep's own Lean server gives the goals.
 */
export class Lean4Goals implements vscode.Disposable {
  #provider: LeanClientProvider | undefined;
  /** Clients that were waited for in vain, for which nothing waits again until they run; undefined stands for none. */
  readonly #absent = new Set<LeanClient | undefined>();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;

  /** Fires when `available` has changed. */
  readonly onDidChange = this.#changed.event;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly startMs = START_MS,
  ) {
    this.#subscription = vscode.extensions.onDidChange(() => { this.connect(); });
  }

  get available(): boolean {
    return this.#provider !== undefined;
  }

  /** Begin to wait for the other extension's client; returns at once. */
  connect(): void {
    const extension = vscode.extensions.getExtension<Lean4Exports | undefined>(LEAN4_EXTENSION);
    if (extension === undefined) {
      this.use(undefined);
      return;
    }
    if (this.#provider === undefined) {
      this.#wait(extension).catch((error: unknown) => {
        this.log.warn(`The Lean 4 extension gives no goals: ${String(error)}`);
      });
    }
  }

  /**
   * The open goals at a position; null where Lean sees no goal.
   *
   * A server that starts is waited for, and asked once more where it fails: it may have been restarted meanwhile.
   *
   * @throws ResponseError `MethodNotFound` where that extension's Lean does not answer: llmstep then asks its own.
   */
  async ask(uri: string, position: unknown, token: vscode.CancellationToken): Promise<PlainGoal | null> {
    const params = { textDocument: { uri }, position };
    for (let tries = 0; tries < TRIES; tries++) {
      const client = await this.#running(uri, token);
      if (client === undefined) {
        break;
      }
      try {
        const answer = await whileAlive(client, uri, token, () => client.sendRequest('$/lean/plainGoal', params, token));
        return (answer as PlainGoal | null | undefined) ?? null;
      } catch (error) {
        if (token.isCancellationRequested) {
          throw error;
        }
        this.log.info(`The Lean 4 extension did not give the goal: ${String(error)}`);
      }
    }
    throw new ResponseError(ErrorCodes.MethodNotFound, 'The Lean 4 extension has no Lean server for this file.');
  }

  /** Verdicts on suggestions; null where this Lean cannot give them. */
  async check(asked: CheckParams, token: vscode.CancellationToken): Promise<CheckedSuggestions | null> {
    const { uri } = asked.textDocument;
    const client = this.#client(uri);
    if (!runs(client) || isDead(client, uri)) {
      return null;
    }
    try {
      return await whileAlive(client, uri, token, () => checkWith(client, asked, token));
    } catch (error) {
      this.log.info(`The Lean 4 extension did not check: ${String(error)}`);
      return null;
    }
  }

  /** Use the clients of a provider; undefined when there is none any more. */
  use(provider: LeanClientProvider | undefined): void {
    const before = this.#provider;
    this.#provider = provider;
    if ((before === undefined) !== (provider === undefined)) {
      this.#changed.fire();
    }
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }

  async #wait(extension: vscode.Extension<Lean4Exports | undefined>): Promise<void> {
    const exported = await extension.activate();
    const features = await exported?.lean4EnabledFeatures;
    this.use(features?.clientProvider);
  }

  /** The client of a file, once it runs; undefined where it does not, or where the file's worker has ended. */
  async #running(uri: string, token: vscode.CancellationToken): Promise<LeanClient | undefined> {
    const find = (): LeanClient | undefined => this.#client(uri);
    const client = await untilItRuns(find, token, this.#absent.has(find()) ? 0 : this.startMs);
    if (client === undefined) {
      this.#absent.add(find());
      return undefined;
    }
    this.#absent.delete(client);
    return isDead(client, uri) ? undefined : client;
  }

  #client(uri: string): LeanClient | undefined {
    return this.#provider?.findClient(extUri(vscode.Uri.parse(uri)));
  }
}

/** A URI as the Lean 4 extension's own class has it: a file's path, with the methods that a lookup may call. */
function extUri(uri: vscode.Uri): unknown {
  const { fsPath, scheme } = uri;
  return {
    scheme,
    fsPath,
    asUri: () => uri,
    toString: () => uri.toString(),
    equals: (other: { fsPath?: string }) => other.fsPath === fsPath,
    equalsUri: (other: vscode.Uri) => other.toString() === uri.toString(),
    isInFolder: (folder: { fsPath: string }) =>
      fsPath === folder.fsPath || fsPath.startsWith(folder.fsPath.replace(/[\\/]?$/, fsPath.includes('\\') ? '\\' : '/')),
  };
}
