import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';

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
export async function testedVersions(wheel: string): Promise<string | undefined> {
  const file = path.join(path.dirname(wheel), 'constraints.txt');
  return (await stat(file).catch(() => undefined))?.isFile() === true ? file : undefined;
}

/** What tells one wheel from another: its name and size. */
export async function fingerprint(wheel: string): Promise<string> {
  return `${path.basename(wheel)} ${(await stat(wheel)).size}`;
}
