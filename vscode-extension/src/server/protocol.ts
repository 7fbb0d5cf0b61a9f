import { NotificationType, RequestType } from 'vscode-languageclient/node';
import type { Position, TextDocumentIdentifier, TextEdit } from 'vscode-languageclient/node';
import type { PlainGoal } from '../goals';

/** What the server is doing; the fields are those of `llmstep/status`. */
export interface Status {
  readonly state: string;
  /** The model in memory. */
  readonly model: string;
  /** The model of the settings, which the next request loads. */
  readonly selected: string;
  readonly device: string;
  readonly lastMs: number | null;
  readonly message: string;
  /** `inProcess`, `openai`, `llmstep`, or `shared` where the model of another window is used. */
  readonly engine?: string;
}

/** An error that the user can act on. */
export interface ServerMessage {
  readonly kind: 'error' | 'info';
  /** Which kind of error: `settings`, `model_not_found`, `lean`, … */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface Place {
  readonly textDocument: TextDocumentIdentifier;
  readonly position: Position;
}

/** One entry of the answer of `llmstep.suggest`. */
export interface Suggestion {
  readonly text: string;
  /** Mean log-probability of its tokens; null where a server does not tell it. */
  readonly score: number | null;
  readonly verdict: 'closes' | 'progress' | 'unchecked';
  /** The model, one of Lean's own tactics, or the model with a name that Lean offers. */
  readonly source: 'model' | 'lean' | 'repaired';
  /** With `repaired`, what the model wrote. */
  readonly repairedFrom?: string | null;
  readonly remainingGoals: readonly string[];
  readonly edit: TextEdit;
}

export interface SuggestAnswer {
  readonly goal: string;
  readonly model: string;
  readonly elapsedMs: number;
  readonly summary: string;
  readonly suggestions: readonly Suggestion[];
  /** What Lean refused. */
  readonly rejected: readonly { readonly text: string; readonly reason: string }[];
}

/** The answer of `llmstep/known`: the same from memory, with edits for the text as it is. */
export interface Known extends SuggestAnswer {
  readonly version: number | null;
  /** The main goal, and those behind it. */
  readonly goals: readonly string[];
  /** Whether a run is going on in the document. */
  readonly working: boolean;
}

export const statusChanged = new NotificationType<Status>('llmstep/status');
export const serverMessage = new NotificationType<ServerMessage>('llmstep/message');
export const known = new RequestType<Place, Known | null, void>('llmstep/known');
export const knownChanged = new NotificationType<{ readonly textDocument: TextDocumentIdentifier }>('llmstep/knownChanged');
export const plainGoal = new RequestType<Place, PlainGoal | null, void>('llmstep/plainGoal');

/** What `LLMstep.checkSuggestions` of the Lean package takes. */
export interface CheckParams extends Place {
  readonly suggestions: readonly string[];
  readonly maxHeartbeats: number;
}

/** What it answers, in the order asked. */
export interface CheckReply {
  readonly checked: readonly {
    readonly text: string;
    readonly verdict: string;
    readonly goals: readonly string[];
    readonly message: string;
  }[];
}

export const checkSuggestions = new RequestType<CheckParams, CheckReply | null, void>('llmstep/checkSuggestions');

/** The answer of `llmstep.choose` and `llmstep.accept`. */
export interface ShownSuggestion {
  readonly text: string;
  readonly edit: TextEdit;
  readonly verdict: Suggestion['verdict'];
  readonly index: number;
  readonly count: number;
}

/** The answer of `llmstep.prove`. */
export interface ProveAnswer {
  readonly proof: string | null;
  readonly edit: TextEdit | null;
  readonly expansions: number;
  readonly seconds: number;
  readonly model: string | null;
  readonly outcome: string;
}

/** The answer of `llmstep.fillSorries`. */
export interface FillAnswer {
  readonly proved: readonly { readonly edit: TextEdit; readonly proof: string }[];
  readonly failed: readonly { readonly reason: string }[];
}

/** One entry of the answer of `llmstep.models`. */
export interface ModelEntry {
  readonly name: string;
  readonly repoId: string;
  readonly parameters: number | null;
  readonly sizeBytes: number | null;
  /** Memory that it needs on the CPU and on a GPU; null where that is not known, and for the one that comes with llmstep. */
  readonly cpuBytes: number | null;
  readonly gpuBytes: number | null;
  readonly licence: string | null;
  readonly score: string | null;
  readonly scoreSource: string | null;
  readonly trustRemoteCode: boolean;
  readonly summary: string;
  readonly bundled: boolean;
  readonly cached: boolean;
  readonly active: boolean;
  /** By the rule that `auto` and doctor follow. */
  readonly recommended?: boolean;
}
