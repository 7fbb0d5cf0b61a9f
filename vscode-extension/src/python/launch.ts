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
  /** Start it with this Python, which has `llmstep`; `managed` if it is that of the extension's environment. */
  | { readonly kind: 'start'; readonly python: Python; readonly managed: boolean }
  /** Make the environment first, from this Python, or with `uv`, which brings one. */
  | { readonly kind: 'install'; readonly base: Python | 'uv' }
  | { readonly kind: 'wrongSetting'; readonly command: string; readonly reason: string }
  | { readonly kind: 'noPython' };

/**
 * Decide what to start.
 *
 * A Python of the settings that has llmstep is used as it is, and so is the Python extension's choice; one that merely
 * happens to be on PATH is not, because nobody pointed to it.
 */
export function plan(found: Found, environment: Python | undefined, uv: boolean): Plan {
  if (found.kind === 'wrongSetting') {
    return found;
  }
  if (found.kind === 'python' && found.source !== 'path' && found.python.llmstep !== null) {
    return { kind: 'start', python: found.python, managed: false };
  }
  if (environment !== undefined) {
    return { kind: 'start', python: environment, managed: true };
  }
  if (found.kind === 'python' && found.python.canMakeEnvironments) {
    return { kind: 'install', base: found.python };
  }
  if (uv) {
    return { kind: 'install', base: 'uv' };
  }
  return found.kind === 'python' ? { kind: 'install', base: found.python } : { kind: 'noPython' };
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
