import * as path from 'node:path';
import { run } from '../process';

/** The command of `uv`: on PATH, or where its installer puts it; undefined where there is none. */
export async function findUv(environment: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const home = environment.HOME ?? environment.USERPROFILE ?? '';
  const name = process.platform === 'win32' ? 'uv.exe' : 'uv';
  const folders = [...(environment.PATH ?? '').split(path.delimiter), path.join(home, '.local', 'bin')];
  for (const folder of folders.filter((each) => path.isAbsolute(each))) {
    const command = path.join(folder, name);
    const outcome = await run(command, ['--version'], { timeoutMs: 10_000 });
    if (outcome.kind === 'done' && outcome.code === 0) {
      return command;
    }
  }
  return undefined;
}
