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

const PLAIN = ['ready', 'suggest', 'more', 'prefix', 'prove', 'stop', 'leave'] as const;
const WITH_TEXT = ['insert', 'copy'] as const;

/** What the page asks for; a text is that of a step. */
export type PanelRequest =
  | { readonly type: (typeof PLAIN)[number] }
  | { readonly type: (typeof WITH_TEXT)[number]; readonly text: string };

/** A message of the page; undefined where it is none of these. */
export function readRequest(message: unknown): PanelRequest | undefined {
  const { type, text } = (message ?? {}) as { type?: unknown; text?: unknown };
  const plain = PLAIN.find((each) => each === type);
  const withText = WITH_TEXT.find((each) => each === type);
  if (plain !== undefined) {
    return { type: plain };
  }
  return withText !== undefined && typeof text === 'string' ? { type: withText, text } : undefined;
}
