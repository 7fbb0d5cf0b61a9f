import * as vscode from 'vscode';
import type { SuggestionsPanel } from '../panel/panel';
import { showActions, toggleIdle } from './actions';
import { Doctor } from './doctor';
import * as environment from './environment';
import * as models from './models';
import type { Extension } from '../extension';
import { type PlaceArgument, goTo, leanEditor } from './place';
import * as proofs from './proofs';
import { reportFault } from './report';
import { tell, withProgress } from './run';
import * as suggest from './suggest';

/** The place that the lightbulb or a code lens gives; menus give the address of the file instead, and mean the cursor. */
function placeIn(argument: unknown): PlaceArgument | undefined {
  if ((argument as Partial<PlaceArgument> | null | undefined)?.textDocument === undefined) {
    return undefined;
  }
  goTo(argument as PlaceArgument);
  return argument as PlaceArgument;
}

/** Insert the step that a link of a hint names: `{textDocument, position, text}`. */
function insertStep(panel: SuggestionsPanel, step: unknown): Promise<boolean> | undefined {
  const { text, ...place } = step as PlaceArgument & { text?: unknown };
  return typeof text === 'string' ? panel.insert(place, text) : undefined;
}

/** Build what the file in the editor imports, with Lake. */
async function buildImports({ session, notify }: Extension): Promise<void> {
  const document = leanEditor()?.document;
  if (document === undefined) {
    return;
  }
  const argument = { textDocument: { uri: document.uri.toString() } };
  await withProgress(session, 'Building the imports', 'llmstep.buildImports', argument);
  void notify.info('The imports are built.');
}

/** Register all commands, those of the server's code actions among them; a failure is told in one place. */
export function registerCommands(parts: Extension): { dispose(): unknown }[] {
  const { launcher, log, notify, panel, session } = parts;
  const doctor = new Doctor(launcher, notify);
  const commands: Record<string, (argument?: unknown, from?: 'panel') => unknown> = {
    suggest: (argument, from) => suggest.suggest(parts, placeIn(argument), from),
    suggestWithPrefix: (argument, from) => suggest.suggestWithPrefix(parts, placeIn(argument), from),
    insert: (step) => insertStep(panel, step),
    showPanel: () => panel.show(),
    acceptBest: () => suggest.accept(parts),
    nextSuggestion: () => suggest.turn(parts, 1),
    previousSuggestion: () => suggest.turn(parts, -1),
    prove: (argument, from) => proofs.prove(parts, placeIn(argument), from),
    fillSorries: () => proofs.fillSorries(parts),
    selectModel: (name) => models.select(parts, name),
    downloadModel: (name) => models.download(parts, name),
    stop: () => (session.state === 'running' ? session.execute('llmstep.stop') : undefined),
    restart: () => session.restart(),
    stopServer: () => session.stop(),
    buildImports: () => buildImports(parts),
    restartLean: () => session.execute('llmstep.restartLean'),
    install: () => environment.install(parts),
    installTorch: () => environment.installTorch(parts),
    uninstall: () => environment.uninstall(parts),
    setApiKey: () => environment.setApiKey(parts),
    doctor: () => doctor.examine(),
    reportIssue: () => reportFault(parts, doctor),
    showLog: () => { log.show(); },
    toggleIdle: () => toggleIdle(),
    showActions: () => showActions(session),
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', '@ext:llmstep.llmstep'),
    openWalkthrough: () => vscode.commands.executeCommand('workbench.action.openWalkthrough', 'llmstep.llmstep#start'),
  };
  const registered: { dispose(): unknown }[] = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(`llmstep.${name}`, async (argument?: unknown, from?: unknown) => {
      try {
        return await run(argument, from === 'panel' ? from : undefined);
      } catch (error) {
        tell(notify, error);
        return undefined;
      }
    }),
  );
  registered.push(doctor);
  return registered;
}
