// Made by scripts/reference.py from the classes of lsp_server/llmstep/wire: change those.
import type { Position, Range, TextDocumentIdentifier, TextEdit } from 'vscode-languageclient/node';

export type ShownVerdict = 'closes' | 'progress' | 'unchecked';

export type StepSource = 'model' | 'lean' | 'repaired';

export type ProofOutcome = 'proved' | 'partial' | 'exhausted' | 'expansions' | 'seconds' | 'rounds' | 'tokens' | 'refused';

export type ProofStrategy = 'search' | 'write' | 'sketch';

/** A place of a document. */
export interface Place {
  readonly textDocument: TextDocumentIdentifier;
  readonly position: Position;
}

/** The answer of `llmstep.suggest`. */
export interface SuggestAnswer {
  readonly goal: string;
  readonly model: string;
  readonly elapsedMs: number;
  /** How many were generated, checked and rejected, in words. */
  readonly summary: string;
  /** Best first. */
  readonly suggestions: readonly Suggestion[];
  /** What Lean refused. */
  readonly rejected: readonly Rejected[];
}

/** A suggested step. */
export interface Step {
  readonly text: string;
  /** Mean log-probability of its tokens; null where the model gives none. */
  readonly score: number | null;
  /** What Lean says. */
  readonly verdict: ShownVerdict;
  /** The model, one of Lean's own tactics, or the model with a name that Lean offers. */
  readonly source: StepSource;
  /** With `repaired`, what the model wrote. */
  readonly repairedFrom: string | null;
  /** With `progress`, the goals that are left. */
  readonly remainingGoals: readonly string[];
}

/** What came of the work at one goal. */
export interface Proving {
  /** What replaces the place, without its indentation; null where there is none. */
  readonly proof: string | null;
  /** States that were expanded. */
  readonly expansions: number;
  readonly seconds: number;
  /** Null where none was asked. */
  readonly model: string | null;
  /** Why it ended. */
  readonly outcome: ProofOutcome;
  /** How a proof was looked for. */
  readonly strategy: ProofStrategy;
  /** Answers of a model that writes whole proofs. */
  readonly rounds: number;
  /** Tokens that it wrote. */
  readonly tokens: number;
}

/** A proof except for some goals. */
export interface PartialOutput {
  /** With `sorry` for each goal that is left. */
  readonly proof: string;
  /** The goals that are left. */
  readonly goals: readonly string[];
}

/** What every list says of a model. */
export interface KnownModel {
  readonly name: string;
  readonly parameters: number | null;
  readonly sizeBytes: number | null;
  /** Null where none is stated. */
  readonly licence: string | null;
  /** Whether it is on this machine. */
  readonly cached: boolean;
  readonly template: string;
  /** Whether it brings Python code of its own. */
  readonly trustRemoteCode: boolean;
  readonly summary: string;
}

/** What the server is doing: `llmstep/status`. */
export interface Status {
  /** `empty`: no model in memory; `idle`: one in memory, nothing to do; `goal`: Lean is asked for the goal. */
  readonly state: 'empty' | 'downloading' | 'loading' | 'idle' | 'goal' | 'generating' | 'checking';
  /** The model in memory. */
  readonly model: string;
  /** The model of the settings, which the next request loads. */
  readonly selected: string;
  readonly device: string;
  readonly lastMs: number | null;
  readonly message: string;
  /** `inProcess`, `openai`, `llmstep`, or `shared` where the model of another window is used. */
  readonly engine: string;
  /** The server that runs the model, where that is not llmstep itself. */
  readonly url: string;
}

/** An error that the user can act on: `llmstep/message`. */
export interface ServerMessage {
  readonly kind: 'error' | 'info';
  /** Which kind of error: `settings`, `model_not_found`, `lean`, … */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** What the client's Lean is to check: the form that `LLMstep.checkSuggestions` of the Lean package takes. */
export interface CheckParams extends Place {
  readonly suggestions: readonly string[];
  readonly maxHeartbeats: number;
}

/** The suggestions in the order asked. */
export interface CheckedSuggestions {
  readonly checked: readonly Checked[];
}

/** A suggestion with the verdict of the client's Lean. */
export interface Checked {
  readonly text: string;
  readonly verdict: 'closes' | 'progress' | 'invalid' | 'unchecked';
  readonly goals?: readonly string[];
  readonly message?: string;
}

/** The open goals at a position, in the form of the answer of `$/lean/plainGoal`. */
export interface PlainGoal {
  /** As Lean prints them. */
  readonly goals: readonly string[];
  readonly rendered?: string;
}

/** What `llmstep doctor --json` prints. */
export interface DoctorOutput {
  readonly usable: boolean;
  readonly findings: readonly Finding[];
}

/** One thing that `llmstep doctor` looked at. */
export interface Finding {
  readonly topic: string;
  /** `note`: llmstep works, but this is worth knowing; `missing`: it is not usable without it. */
  readonly grade: 'ok' | 'note' | 'missing';
  readonly text: string;
  /** What to do; empty where all is well. */
  readonly advice: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The answer of `llmstep/known`: the same from memory, with edits for the text as it is. */
export interface Known extends SuggestAnswer {
  /** That of the document. */
  readonly version: number | null;
  /** The main goal, and those behind it. */
  readonly goals: readonly string[];
  /** Whether a run is going on in the document. */
  readonly working: boolean;
  /** Lean's own tactics that it refused, which nothing else counts or shows. */
  readonly rejectedTactics: readonly Rejected[];
}

/** One entry of the answer of `llmstep.suggest`. */
export interface Suggestion extends Step {
  /** The step in one line, with what Lean says of it, as menus show it. */
  readonly title: string;
  /** Inserts it. */
  readonly edit: TextEdit;
}

/** A step that Lean refused. */
export interface Rejected {
  readonly text: string;
  readonly reason: string;
}

/** The answer of `llmstep.choose` and `llmstep.accept`. */
export interface ShownSuggestion {
  readonly text: string;
  readonly edit: TextEdit;
  readonly verdict: ShownVerdict;
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** The answer of `llmstep.prove`. */
export interface ProveAnswer extends Proving {
  readonly edit: TextEdit | null;
  /** With the outcome `partial`: what there is of a proof. */
  readonly partial: PartialProof | null;
}

/** The same with its edit. */
export interface PartialProof extends PartialOutput {
  readonly edit: TextEdit;
}

/** The answer of `llmstep.fillSorries`; the edits may be applied together. */
export interface FillAnswer {
  readonly proved: readonly Proved[];
  readonly failed: readonly Unproved[];
}

/** A `sorry` that was proved. */
export interface Proved {
  /** That of the word. */
  readonly range: Range;
  readonly edit: TextEdit;
  readonly proof: string;
}

/** A `sorry` that was not. */
export interface Unproved {
  readonly range: Range;
  readonly reason: string;
  /** What there is of a proof. */
  readonly partial: PartialProof | null;
}

/** One entry of the answer of `llmstep.models`. */
export interface ModelEntry extends KnownModel {
  /** Id on the hub, or a folder; empty for the one that comes with llmstep. */
  readonly repoId: string;
  readonly family: 'causal' | 'seq2seq';
  /** Memory that it needs on the CPU; null where that is not known, and for the one that comes with llmstep. */
  readonly cpuBytes: number | null;
  /** The same on a GPU. */
  readonly gpuBytes: number | null;
  /** Reported result on miniF2F-test. */
  readonly score: string | null;
  readonly scoreSource: string | null;
  /** Whether it comes with llmstep. */
  readonly bundled: boolean;
  readonly active: boolean;
  /** By the rule that `auto` and doctor follow. */
  readonly recommended: boolean;
}

/** The answer of `llmstep.downloadModel`. */
export interface DownloadAnswer {
  readonly model: string;
  /** Its folder, or the one file. */
  readonly folder: string;
}

/** The answer of `llmstep.status`. */
export interface StatusAnswer extends Status {
  readonly version: string;
  /** Where the tactic is answered. */
  readonly http: string | null;
  /** The Lean servers that llmstep runs. */
  readonly lean: readonly LeanServer[];
}

/** A Lean server that llmstep runs. */
export interface LeanServer {
  /** Its folder. */
  readonly root: string;
  readonly command: readonly string[];
  readonly processes: readonly LeanProcessRow[];
}

/** A process of a Lean server. */
export interface LeanProcessRow {
  readonly pid: number;
  readonly role: 'launcher' | 'watchdog' | 'worker';
  /** Resident memory, with the pages that other Lean processes share. */
  readonly rssBytes: number;
  /** Memory that is freed when it ends. */
  readonly privateBytes: number;
  /** Of a worker, the document that it elaborates. */
  readonly uri: string;
}

/** The answer of `llmstep.stop`. */
export interface StopAnswer {
  /** Number of runs. */
  readonly stopped: number;
}

/** The answer of `llmstep.buildImports`. */
export interface BuildAnswer {
  /** The last line that Lake printed. */
  readonly said: string;
}
