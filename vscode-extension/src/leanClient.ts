import type * as vscode from 'vscode';
import { ErrorCodes } from 'vscode-languageclient/node';
import type { CheckParams, CheckedSuggestions } from './server/protocol';

/** An entry of `$/lean/fileProgress`. */
interface Processing {
  readonly kind?: number;
}

const FATAL = 2;
const POLL_MS = 100;

/** The parts of the Lean 4 extension's client that are used here. */
export interface LeanClient {
  /** Undefined during the first start, as `running` is not set before. */
  isRunning?(): boolean | undefined;
  /** Rejects with an error of the server, or with a string where there is no server. */
  sendRequest(method: string, params: unknown, token?: vscode.CancellationToken): Promise<unknown>;
  /** The last progress of each file; a later entry of the same file replaces an earlier one. */
  readonly progress?: ReadonlyMap<{ toString(): string }, readonly Processing[]>;
  readonly progressChanged?: vscode.Event<[string, readonly Processing[]]>;
}

/** Whether a client answers questions; only `true` says so. */
export function runs(client: LeanClient | undefined): client is LeanClient {
  return client?.isRunning?.() === true;
}

/** Whether the worker of a file has ended by itself: Lean keeps questions for it until the file is edited. */
export function isDead(client: LeanClient, uri: string): boolean {
  let dead = false;
  for (const [file, processing] of client.progress ?? []) {
    dead = file.toString() === uri ? isFatal(processing) : dead;
  }
  return dead;
}

/** The client once it runs; undefined when it does not within the time, or the question is given up. */
export async function untilItRuns(
  find: () => LeanClient | undefined,
  token: vscode.CancellationToken,
  milliseconds: number,
): Promise<LeanClient | undefined> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const client = find();
    if (runs(client)) {
      return client;
    }
    if (Date.now() >= end || token.isCancellationRequested) {
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * What a question gives, or an error as soon as its answer cannot come any more: the worker of the file has ended, the
 * client runs no more, or the question is given up.
 *
 * @throws Error in any case of failure, also where the client rejects with a string.
 */
export async function whileAlive<T>(
  client: LeanClient,
  uri: string,
  token: vscode.CancellationToken,
  question: () => Promise<T>,
): Promise<T> {
  let listeners: (vscode.Disposable | undefined)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    const fail = (reason: string): void => { reject(new Error(reason)); };
    const ended = client.progressChanged?.(([file, processing]) => {
      if (file === uri && isFatal(processing)) {
        fail('The file worker has ended.');
      }
    });
    listeners = [ended, token.onCancellationRequested(() => { fail('The request was cancelled.'); })];
    timer = setInterval(() => {
      if (!runs(client)) {
        fail('The Lean server has stopped.');
      }
    }, POLL_MS);
  });
  try {
    return await Promise.race([question(), end]);
  } catch (error) {
    throw error instanceof Error ? error : new Error(String(error));
  } finally {
    clearInterval(timer);
    listeners.forEach((each) => { each?.dispose(); });
  }
}

function isFatal(processing: readonly Processing[]): boolean {
  return processing.some(({ kind }) => kind === FATAL);
}

/**
 * Have a Lean client's server check suggestions, with the RPC method of the Lean package.
 *
 * @returns null where the file does not import the package or has no goal there, so that llmstep's own Lean has to check.
 * @throws the Lean client's error, for any other reason.
 */
export async function checkWith(
  client: LeanClient,
  asked: CheckParams,
  token: vscode.CancellationToken,
): Promise<CheckedSuggestions | null> {
  const { textDocument, position } = asked;
  const { uri } = textDocument;
  try {
    const session = (await client.sendRequest('$/lean/rpc/connect', { uri }, token)) as { sessionId: string };
    const call = { textDocument, position, ...session, method: 'LLMstep.checkSuggestions', params: asked };
    return (await client.sendRequest('$/lean/rpc/call', call, token)) as CheckedSuggestions;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === ErrorCodes.MethodNotFound || code === ErrorCodes.InvalidParams) {
      return null;
    }
    throw error;
  }
}
