import { existsSync } from 'node:fs';
import { open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { type Probed, type Python, probe } from '../python/find';
import type { WithTorch } from './torch';

/** Where the extension keeps its Python environment, and what it installs into it. */
export interface Places {
  /** The virtual environment. */
  readonly root: string;
  /** Its interpreter. */
  readonly python: string;
  /** A file in it that is written last, when all is installed. */
  readonly marker: string;
  /** A file that exists while a window installs. */
  readonly lock: string;
}

export function placesIn(storage: string, platform: NodeJS.Platform = process.platform): Places {
  const root = path.join(storage, 'environment');
  return {
    root,
    python: platform === 'win32' ? path.join(root, 'Scripts', 'python.exe') : path.join(root, 'bin', 'python'),
    marker: path.join(root, 'llmstep-installed.json'),
    lock: path.join(storage, 'install.lock'),
  };
}

/**
 * The wheel of `llmstep` that came with the extension.
 *
 * @throws Error when there is none.
 */
export async function bundledWheel(extensionFolder: string): Promise<string> {
  const folder = path.join(extensionFolder, 'wheel');
  const names = await readdir(folder).catch(() => []);
  const name = names.find((each) => /^llmstep-.*\.whl$/.test(each));
  if (name === undefined) {
    throw new Error('The llmstep wheel of the extension is missing.');
  }
  return path.join(folder, name);
}

/** The file beside the wheel with the exact versions of other packages that it was tested with; undefined without one. */
export function testedVersions(wheel: string): string | undefined {
  const file = path.join(path.dirname(wheel), 'constraints.txt');
  return existsSync(file) ? file : undefined;
}

/** What tells one wheel from another: its name and size. */
export async function fingerprint(wheel: string): Promise<string> {
  return `${path.basename(wheel)} ${(await stat(wheel)).size}`;
}

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
  if (!existsSync(places.root)) {
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

/**
 * Take the lock: the right to change the environment, which one window has at a time.
 *
 * @returns What releases it; undefined while another living process has it. One of a process that has gone is taken over.
 */
export async function takeLock(file: string, pid: number = process.pid): Promise<(() => Promise<void>) | undefined> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (holder !== pid && isAlive(holder)) {
      return undefined;
    }
    await rm(file, { force: true });
  }
  return undefined;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
