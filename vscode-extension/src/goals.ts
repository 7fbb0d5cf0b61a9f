import * as vscode from 'vscode';
import { ErrorCodes, ResponseError } from 'vscode-languageclient/node';
import { checkWith } from './checks';
import type { CheckParams, CheckReply } from './server/protocol';

export const LEAN4_EXTENSION = 'leanprover.lean4';

/** The answer of `$/lean/plainGoal`. */
export interface PlainGoal {
  readonly goals: string[];
  readonly rendered: string;
}

/** The parts of the Lean 4 extension's exports that are used here. */
export interface LeanClient {
  isRunning?(): boolean;
  sendRequest(method: string, params: unknown, token?: vscode.CancellationToken): Promise<unknown>;
}

interface LeanClientProvider {
  findClient(uri: unknown): LeanClient | undefined;
  getActiveClient(): LeanClient | undefined;
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
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;

  /** Fires when `available` has changed. */
  readonly onDidChange = this.#changed.event;

  constructor(private readonly log: vscode.LogOutputChannel) {
    this.#subscription = vscode.extensions.onDidChange(() => { this.connect(); });
  }

  get available(): boolean {
    return this.#provider !== undefined;
  }

  /** Begin to wait for the other extension's client; returns at once. */
  connect(): void {
    const extension = vscode.extensions.getExtension<Lean4Exports | undefined>(LEAN4_EXTENSION);
    if (extension === undefined) {
      this.#set(undefined);
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
   * @throws ResponseError `MethodNotFound` where that extension has no Lean server for the file: llmstep then asks its own.
   */
  async ask(uri: string, position: unknown, token: vscode.CancellationToken): Promise<PlainGoal | null> {
    const client = this.#client(vscode.Uri.parse(uri));
    if (client === undefined) {
      throw new ResponseError(ErrorCodes.MethodNotFound, 'The Lean 4 extension has no Lean server for this file.');
    }
    const params = { textDocument: { uri }, position };
    return ((await client.sendRequest('$/lean/plainGoal', params, token)) as PlainGoal | null | undefined) ?? null;
  }

  /** Verdicts on suggestions; null where this Lean cannot give them. */
  async check(asked: CheckParams, token: vscode.CancellationToken): Promise<CheckReply | null> {
    const client = this.#client(vscode.Uri.parse(asked.textDocument.uri));
    return client === undefined ? null : checkWith(client, asked, token);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }

  async #wait(extension: vscode.Extension<Lean4Exports | undefined>): Promise<void> {
    const exported = await extension.activate();
    const features = await exported?.lean4EnabledFeatures;
    this.#set(features?.clientProvider);
  }

  #client(uri: vscode.Uri): LeanClient | undefined {
    if (this.#provider === undefined) {
      return undefined;
    }
    const found = this.#provider.findClient(extUri(uri)) ?? this.#provider.getActiveClient();
    return found?.isRunning?.() === false ? undefined : found;
  }

  #set(provider: LeanClientProvider | undefined): void {
    const before = this.#provider;
    this.#provider = provider;
    if ((before === undefined) !== (provider === undefined)) {
      this.#changed.fire();
    }
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
