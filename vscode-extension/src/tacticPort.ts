import { setting } from './settings';

/** The port that the tactic asks by itself. */
const USUAL = 6000;

/**
 * Tells the `llmstep` tactic the port of the settings, through the environment that Lean servers inherit from the
 * extension host. A Lean server that runs already has the environment of its start.
 */
export class TacticPort {
  readonly #before = process.env.LLMSTEP_PORT;

  apply(): void {
    const port = setting<number>('http.port');
    if (port !== USUAL && port !== 0) {
      process.env.LLMSTEP_PORT = String(port);
    } else if (this.#before === undefined) {
      delete process.env.LLMSTEP_PORT;
    } else {
      process.env.LLMSTEP_PORT = this.#before;
    }
  }
}
