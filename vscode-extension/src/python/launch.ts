import type { EnvironmentState } from '../environment/disk';
import type { Found, Python } from './find';

/** How the server is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What is to be done so that the server can start. */
export type Plan =
  /** Start it with a Python of the user's, which has `llmstep`. */
  | { readonly kind: 'start'; readonly python: Python; readonly managed: false }
  /** Start it with the one of the extension's environment, which may be outdated, and is made anew from `base`. */
  | { readonly kind: 'start'; readonly python: Python; readonly managed: true; readonly outdated: boolean; readonly base: Python }
  /** Make the environment first, from this Python, or with `uv`, which brings one; an earlier try may have been interrupted. */
  | { readonly kind: 'install'; readonly base: Python | 'uv'; readonly interrupted: boolean }
  | { readonly kind: 'wrongSetting'; readonly command: string; readonly reason: string }
  | { readonly kind: 'noPython' };

/**
 * Decide what to start.
 *
 * A Python of the settings that has llmstep is used as it is, and so is the Python extension's choice; one that merely
 * happens to be on PATH is not, because nobody pointed to it.
 */
export function plan(found: Found, environment: EnvironmentState, uv: boolean): Plan {
  if (found.kind === 'wrongSetting') {
    return found;
  }
  const python = found.kind === 'python' ? found.python : undefined;
  if (found.kind === 'python' && found.source !== 'path' && found.python.llmstep !== null) {
    return { kind: 'start', python: found.python, managed: false };
  }
  if (environment.kind === 'ready' || environment.kind === 'outdated') {
    const base = python?.canMakeEnvironments === true ? python : environment.python;
    return { kind: 'start', python: environment.python, managed: true, outdated: environment.kind === 'outdated', base };
  }
  const base = uv && python?.canMakeEnvironments !== true ? 'uv' : python;
  return base === undefined ? { kind: 'noPython' } : { kind: 'install', base, interrupted: environment.kind !== 'absent' };
}

/**
 * The command line of the server.
 *
 * It runs in `folder`, not in a workspace, whose files Python would otherwise import in place of its own.
 */
export function launchOf(python: Python, managed: boolean, folder: string, more: NodeJS.ProcessEnv): Launch {
  return {
    command: python.executable,
    args: [...(managed ? ['-I'] : []), '-m', 'llmstep', 'lsp'],
    cwd: folder,
    env: { ...process.env, ...more },
  };
}
