import * as vscode from 'vscode';

export const SECTION = 'llmstep';

/** Settings of the extension itself, which the server does not know. */
export const CLIENT_ONLY: ReadonlySet<string> = new Set([
  'python',
  'install.torch',
  'install.torchIndexUrl',
  'install.wheelhouse',
  'goalsFromLean4Extension',
  'panel.openOnRun',
  'trace.server',
]);

/** One setting, by its name without `llmstep.`; package.json gives each a default. */
// The type is what package.json declares, which a test compares with the server.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function setting<T>(name: string): T {
  return vscode.workspace.getConfiguration(SECTION).get<T>(name) as T;
}

/** Change a setting where the user keeps it: in the workspace if it is set there. */
export async function changeSetting(name: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const inWorkspace = configuration.inspect(name)?.workspaceValue !== undefined;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update(name, value, target);
}

/** Names of the settings that package.json declares, without `llmstep.`. */
export function declaredNames(): string[] {
  const { contributes } = vscode.extensions.getExtension('llmstep.llmstep')?.packageJSON as {
    contributes: { configuration: { properties: Record<string, unknown> }[] };
  };
  return contributes.configuration
    .flatMap((section) => Object.keys(section.properties))
    .map((name) => name.slice(SECTION.length + 1));
}

/**
 * What the server is told: the settings that somebody has set, with dots in their names.
 *
 * Defaults are left to the server, so that one of another version is not told of settings that it does not have.
 */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const told: Record<string, unknown> = {};
  for (const name of declaredNames()) {
    if (!CLIENT_ONLY.has(name) && isSet(configuration.inspect(name))) {
      told[name] = configuration.get(name);
    }
  }
  return told;
}

function isSet(found: ReturnType<vscode.WorkspaceConfiguration['inspect']>): boolean {
  return (
    found !== undefined &&
    [found.globalValue, found.workspaceValue, found.workspaceFolderValue].some((value) => value !== undefined)
  );
}

/** The port that the tactic asks by itself. */
const USUAL = 6000;
const BEFORE = process.env.LLMSTEP_PORT;

/**
 * Tells the `llmstep` tactic the port of the settings, through the environment that Lean servers inherit from the
 * extension host. A Lean server that runs already has the environment of its start.
 */
export function tellTacticPort(): void {
  const port = setting<number>('http.port');
  const told = port !== USUAL && port !== 0 ? String(port) : BEFORE;
  if (told === undefined) {
    delete process.env.LLMSTEP_PORT;
  } else {
    process.env.LLMSTEP_PORT = told;
  }
}
