import { setting } from './settings';

/** The port that the tactic asks by itself. */
const USUAL = 6000;
const BEFORE = process.env.LLMSTEP_PORT;

/**
 * Tells the `llmstep` tactic the port of the settings, through the environment that Lean servers inherit from the
 * extension host. A Lean server that runs already has the environment of its start.
 */
export function tellTacticPort(): void {
  const port = setting<number>('http.port');
  const told = port !== USUAL && port !== 0 ? String(port) : BEFORE;
  if (told === undefined) {
    delete process.env.LLMSTEP_PORT;
  } else {
    process.env.LLMSTEP_PORT = told;
  }
}
