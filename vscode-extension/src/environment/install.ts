import { statfs } from 'node:fs/promises';
import * as path from 'node:path';
import { type Outcome, run } from '../process';
import { probe } from '../python/find';
import { takeLock, type Places, fingerprint, testedVersions, readMarker, removeEnvironment, removeMarker, writeMarker } from './disk';
import { type Command, type Source, type Tool, knownReason, lacksVersions, readStep, reasonOf, toolEnvironment } from './tools';
import { type WithTorch, FOOTPRINTS, torchIndex } from './torch';

/** What is to be installed, and how. */
export interface Order {
  readonly places: Places;
  readonly tool: Tool;
  readonly wheel: string;
  readonly extension: string;
  readonly torch: WithTorch;
  /** `llmstep.install.torchIndexUrl`; empty for the build's own. */
  readonly torchIndexUrl: string;
  /** `llmstep.install.wheelhouse`; empty for a network. */
  readonly wheelhouse: string;
  /** Variables for the proxy of VS Code's settings. */
  readonly proxy?: NodeJS.ProcessEnv;
}

/** A step of the work. */
export interface Step {
  readonly message: string;
  /** How much of the whole is done, 0 to 100. */
  readonly percent: number;
}

export type InstallOutcome =
  | { readonly kind: 'installed' }
  /** Nothing is left of it. */
  | { readonly kind: 'cancelled' }
  /** Another window is at it. */
  | { readonly kind: 'busy' }
  /** What is there counts as half made, so that a second try goes on from it. */
  | { readonly kind: 'failed'; readonly step: string; readonly reason: string; readonly hint?: string };

export interface InstallHooks {
  readonly signal: AbortSignal;
  readonly onStep: (step: Step) => void;
  readonly onLine: (line: string) => void;
}

const TORCH = 'torch>=2.6';
const TRIAL = 'import llmstep.lsp.setup';

interface Work {
  readonly title: string;
  /** Where it begins on the bar, in percent. */
  readonly at: number;
  readonly command: Command;
  /** Instead, where the versions that were tested are not to be had for this Python or system. */
  readonly otherwise?: Command | undefined;
}

/**
 * Make the environment whole.
 *
 * The marker goes first and comes back last. In between a failure leaves an environment that is repaired by doing the
 * same again; when the user cancels, it is removed.
 */
export async function install(order: Order, hooks: InstallHooks): Promise<InstallOutcome> {
  const release = await takeLock(order.places.lock);
  if (release === undefined) {
    return { kind: 'busy' };
  }
  try {
    const outcome = await work(order, hooks);
    if (outcome.kind === 'cancelled') {
      hooks.onStep({ message: 'Removing what was installed', percent: 100 });
      await removeEnvironment(order.places);
    }
    return outcome;
  } finally {
    await release();
  }
}

async function work(order: Order, hooks: InstallHooks): Promise<InstallOutcome> {
  const { places } = order;
  const usable = await canGoOn(order, hooks);
  await removeMarker(places);
  const lacking = usable ? undefined : await lackingSpace(order);
  if (lacking !== undefined) {
    return { kind: 'failed', step: 'The installation', reason: lacking, hint: 'Free some space.' };
  }
  const versions = testedVersions(order.wheel);
  for (const { title, at, command, otherwise } of steps(order, usable, versions)) {
    hooks.onStep({ message: title, percent: at });
    const attempt = (tried: Command): Promise<Outcome> => {
      hooks.onLine(`> ${[tried.command, ...tried.args].join(' ')}`);
      return execute(order, hooks, tried, (line) => {
        hooks.onLine(line);
        const detail = readStep(line);
        if (detail !== undefined) {
          hooks.onStep({ message: `${title}: ${detail}`, percent: at });
        }
      });
    };
    let outcome = await attempt(command);
    if (otherwise !== undefined && outcome.kind === 'done' && outcome.code !== 0 && lacksVersions(outcome.stdout, outcome.stderr)) {
      hooks.onLine('The versions that were tested are not to be had for this Python; others are taken.');
      outcome = await attempt(otherwise);
    }
    if (outcome.kind === 'cancelled' || hooks.signal.aborted) {
      return { kind: 'cancelled' };
    }
    if (outcome.kind === 'notStarted') {
      return { kind: 'failed', step: title, reason: outcome.message };
    }
    if (outcome.code !== 0) {
      const known = knownReason(outcome.stdout, outcome.stderr);
      return { kind: 'failed', step: title, ...(known ?? { reason: reasonOf(outcome.stdout, outcome.stderr) }) };
    }
  }
  const { extension, torch, wheel } = order;
  await writeMarker(places, { extension, torch, wheel: await fingerprint(wheel) });
  hooks.onStep({ message: 'Done', percent: 100 });
  return { kind: 'installed' };
}

/** Whether what is there can be completed: its Python and the tool run, and it has not the other build of PyTorch. */
async function canGoOn(order: Order, hooks: InstallHooks): Promise<boolean> {
  const { places, tool, torch } = order;
  const marker = await readMarker(places);
  if (marker !== undefined && marker.torch !== 'none' && marker.torch !== torch) {
    return false;
  }
  if ((await probe(places.python)).kind !== 'python') {
    return false;
  }
  const outcome = await execute(order, hooks, tool.tryOut(places.python), hooks.onLine);
  return outcome.kind === 'done' && outcome.code === 0;
}

function execute(
  { places, proxy }: Order,
  hooks: InstallHooks,
  { command, args }: Command,
  onLine: (line: string) => void,
): Promise<Outcome> {
  return run(command, args, {
    cwd: path.dirname(places.root),
    env: toolEnvironment(process.env, proxy),
    signal: hooks.signal,
    onLine,
  });
}

/** The commands, in order; `usable` where there is an environment to complete. */
function steps(order: Order, usable: boolean, versions: string | undefined): Work[] {
  const { places, tool, wheel, torch, torchIndexUrl } = order;
  const { python, root } = places;
  const wheelhouse = order.wheelhouse.trim() === '' ? undefined : order.wheelhouse.trim();
  const extra: Work[] = [];
  if (torch !== 'none') {
    const source: Source = { wheelhouse, index: torchIndex(torch, torchIndexUrl) };
    extra.push({ title: 'Installing PyTorch', at: 5, ...installing(order, TORCH, source, versions) });
  }
  const [what, trial] = torch === 'none' ? [wheel, TRIAL] : [`${wheel}[torch]`, `${TRIAL}, torch, transformers`];
  return [
    ...(usable ? [] : [{ title: 'Making an environment', at: 0, command: tool.makeEnvironment(root) }]),
    ...extra,
    { title: 'Installing llmstep', at: torch === 'none' ? 10 : 65, ...installing(order, what, { wheelhouse }, versions) },
    ...(usable ? [{ title: 'Updating llmstep', at: 90, command: tool.replace(python, wheel) }] : []),
    { title: 'Trying it', at: 95, command: { command: python, args: ['-I', '-c', trial] } },
  ];
}

/** An installation in the versions that were tested, and the same in any; a wheelhouse has versions of its own. */
function installing(
  { places, tool }: Order,
  what: string,
  source: Source,
  versions: string | undefined,
): Pick<Work, 'command' | 'otherwise'> {
  const plain = tool.install(places.python, what, source);
  return versions === undefined || source.wheelhouse !== undefined
    ? { command: plain }
    : { command: tool.install(places.python, what, { ...source, versions }), otherwise: plain };
}

/** A sentence when the disk is too full; an environment that is there in part counts as nothing. */
async function lackingSpace({ places, torch }: Order): Promise<string | undefined> {
  const { bavail, bsize } = await statfs(path.dirname(places.root));
  const [free, needed] = [bavail * bsize, FOOTPRINTS[torch].diskBytes];
  return free < needed
    ? `${(free / 1e9).toFixed(1)} GB are free on the disk of ${places.root}, and ${(needed / 1e9).toFixed(1)} GB are needed`
    : undefined;
}
