import { run } from '../process';

/** The oldest Python that llmstep runs on. */
export const OLDEST: readonly [number, number] = [3, 10];

/** What is known about a Python interpreter. */
export interface Python {
  /** Path of the interpreter, as it names itself. */
  readonly executable: string;
  readonly version: readonly [number, number, number];
  /** Version of the package `llmstep` in it; null where there is none. */
  readonly llmstep: string | null;
  /** Whether it can make virtual environments with pip. */
  readonly canMakeEnvironments: boolean;
}

export type Probed =
  | { readonly kind: 'python'; readonly python: Python }
  | { readonly kind: 'tooOld'; readonly version: string }
  | { readonly kind: 'broken'; readonly message: string };

const QUESTION = `
import importlib.util, json, sys
def has(name):
    return importlib.util.find_spec(name) is not None
version = None
if has("llmstep"):
    try:
        import importlib.metadata
        version = importlib.metadata.version("llmstep")
    except Exception:
        pass
print(json.dumps({
    "executable": sys.executable,
    "version": list(sys.version_info[:3]),
    "llmstep": version,
    "canMakeEnvironments": has("venv") and has("ensurepip"),
}))
`;

/** Ask an interpreter about itself, in the extension's folder, so that nothing of a workspace is imported. */
export async function probe(command: string, args: readonly string[] = []): Promise<Probed> {
  const outcome = await run(command, [...args, '-c', QUESTION], { cwd: __dirname, timeoutMs: 30_000 });
  if (outcome.kind === 'notStarted') {
    return { kind: 'broken', message: outcome.message };
  }
  if (outcome.kind === 'cancelled') {
    return { kind: 'broken', message: 'it did not answer within 30 seconds' };
  }
  const python = read(outcome.stdout);
  if (python === undefined) {
    return { kind: 'broken', message: outcome.stderr.split('\n').at(-1)?.trim() ?? `exit status ${outcome.code}` };
  }
  const [major, minor] = python.version;
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return { kind: 'tooOld', version: python.version.join('.') };
  }
  return { kind: 'python', python };
}

function read(stdout: string): Python | undefined {
  try {
    const answer = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Python;
    return typeof answer.executable === 'string' && Array.isArray(answer.version) ? answer : undefined;
  } catch {
    return undefined;
  }
}
