import type { Known } from '../server/protocol';

/** What the page shows. */
export interface PanelState {
  /** `Main.lean, line 3`; empty where no Lean file is open. */
  readonly place: string;
  /** What is known for the goal at the cursor. */
  readonly known: Known | null;
  /** Whether a run goes on, anywhere. */
  readonly busy: boolean;
  /** What the server does, in words. */
  readonly activity: string;
}

/** What the page asks for, whose only script is the extension's own; a text is that of a step. */
export type PanelRequest =
  | { readonly type: 'ready' | 'suggest' | 'more' | 'prefix' | 'prove' | 'stop' | 'leave' }
  | { readonly type: 'insert' | 'copy'; readonly text: string };
