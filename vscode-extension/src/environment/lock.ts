import { open, readFile, rm } from 'node:fs/promises';

/** The right to change the environment, which one window has at a time. */
export interface Lock {
  release(): Promise<void>;
}

/** Take the lock; undefined while another living process has it. One of a process that has gone is taken over. */
export async function takeLock(file: string, pid: number = process.pid): Promise<Lock | undefined> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(pid));
      await handle.close();
      return { release: () => rm(file, { force: true }) };
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
