import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { type Python, type Probed, probe } from '../python/probe';
import type { Places } from './paths';
import type { WithTorch } from './torch';

/** What was installed; the content of the marker. */
export interface Marker {
  /** Version of the extension that installed it. */
  readonly extension: string;
  /** Name and size of the wheel. */
  readonly wheel: string;
  readonly torch: WithTorch;
}

/** The environment as it is on the disk. */
export type EnvironmentState =
  | { readonly kind: 'absent' }
  /** An installation was interrupted, or failed. */
  | { readonly kind: 'halfMade' }
  /** It was whole, but its Python no longer runs, because the one it was made from has gone for example. */
  | { readonly kind: 'broken'; readonly reason: string }
  /** Whole, but of another version of the extension. */
  | { readonly kind: 'outdated'; readonly python: Python; readonly marker: Marker }
  | { readonly kind: 'ready'; readonly python: Python; readonly marker: Marker };

/** Look at the environment, and compare it with what this extension would install. */
export async function inspect(
  places: Places,
  wanted: Pick<Marker, 'extension' | 'wheel'>,
  ask: (command: string) => Promise<Probed> = probe,
): Promise<EnvironmentState> {
  if (!(await exists(places.root))) {
    return { kind: 'absent' };
  }
  const marker = await readMarker(places);
  if (marker === undefined) {
    return { kind: 'halfMade' };
  }
  const probed = await ask(places.python);
  if (probed.kind !== 'python') {
    return { kind: 'broken', reason: probed.kind === 'broken' ? probed.message : `Python ${probed.version}` };
  }
  if (probed.python.llmstep === null) {
    return { kind: 'broken', reason: 'llmstep is not in it' };
  }
  const same = marker.extension === wanted.extension && marker.wheel === wanted.wheel;
  return { kind: same ? 'ready' : 'outdated', python: probed.python, marker };
}

/** Write the marker, whole or not at all. */
export async function writeMarker(places: Places, marker: Marker): Promise<void> {
  const draft = `${places.marker}.draft`;
  await writeFile(draft, JSON.stringify(marker, null, 2));
  await rename(draft, places.marker);
}

/** From now on the environment counts as half made. */
export async function removeMarker(places: Places): Promise<void> {
  await rm(places.marker, { force: true });
}

/** Remove the environment; the marker first, so that an interruption leaves nothing that looks whole. */
export async function removeEnvironment(places: Places): Promise<void> {
  await removeMarker(places);
  await rm(places.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** The marker; undefined where there is none, or none that can be read. */
export async function readMarker(places: Places): Promise<Marker | undefined> {
  try {
    const marker = JSON.parse(await readFile(places.marker, 'utf8')) as Partial<Marker>;
    return typeof marker.extension === 'string' && typeof marker.wheel === 'string' ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
