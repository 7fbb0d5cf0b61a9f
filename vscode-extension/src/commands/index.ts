import * as vscode from 'vscode';
import type { EnvironmentKeeper } from '../environment/keeper';
import type { Launcher } from '../launcher';
import type { Notifier } from '../notify';
import type { SuggestionsPanel } from '../panel/panel';
import type { Session } from '../server/session';
import type { StatusItem } from '../status';
import { showActions, toggleIdle } from './actions';
import { Doctor } from './doctor';
import { EnvironmentCommands } from './environment';
import { buildImports } from './imports';
import { ModelCommands } from './models';
import { type PlaceArgument, goTo } from './place';
import { ProofCommands } from './proofs';
import { FaultReport } from './report';
import { tell } from './run';
import { SuggestCommands } from './suggest';

/** The place that the lightbulb or a code lens gives; menus give the address of the file instead, and mean the cursor. */
function placeIn(argument: unknown): PlaceArgument | undefined {
  return (argument as Partial<PlaceArgument> | null | undefined)?.textDocument === undefined ? undefined : (argument as PlaceArgument);
}

/** Insert the step that a link of a hint names: `{textDocument, position, text}`. */
function insertStep(panel: SuggestionsPanel, step: unknown): Promise<boolean> | undefined {
  const { text, ...place } = step as PlaceArgument & { text?: unknown };
  return typeof text === 'string' ? panel.insert(place, text) : undefined;
}

/** What the commands work with. */
export interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly keeper: EnvironmentKeeper;
  readonly launcher: Launcher;
  readonly log: vscode.LogOutputChannel;
  readonly logLines: readonly string[];
  readonly notify: Notifier;
  readonly panel: SuggestionsPanel;
  readonly session: Session;
  readonly status: StatusItem;
}

/** Register all commands, those of the server's code actions among them; a failure is told in one place. */
export function registerCommands(parts: Parts): { dispose(): unknown }[] {
  const { context, keeper, launcher, log, logLines, notify, panel, session, status } = parts;
  const suggest = new SuggestCommands(session, notify, panel);
  const proofs = new ProofCommands(session, notify);
  const models = new ModelCommands(session, notify);
  const environment = new EnvironmentCommands(context, launcher, keeper, session, notify);
  const doctor = new Doctor(launcher, notify);
  const fault = new FaultReport(context, logLines, status, doctor, notify);
  /**
   * Let a run that the lightbulb has given its place go on by itself. The lightbulb asks for its entries anew when a
   * command of it ends, and that would take the menu back which the command has just opened.
   */
  const aside = (place: PlaceArgument | undefined, run: (place?: PlaceArgument) => Promise<unknown>): Promise<unknown> | undefined => {
    if (place === undefined) {
      return run();
    }
    goTo(place);
    run(place).catch((error: unknown) => { tell(notify, error); });
    return undefined;
  };
  const told = (run: Promise<unknown>): Promise<unknown> => run.catch((error: unknown) => { tell(notify, error); });
  panel.runs = {
    suggest: (place, more) => told(suggest.suggest(place, more, 'panel')),
    prefix: (place) => told(suggest.suggestWithPrefix(place)),
    prove: (place) => told(proofs.prove(place, 'panel')),
  };
  const commands: Record<string, (argument?: unknown) => unknown> = {
    suggest: (argument) => aside(placeIn(argument), (place) => suggest.suggest(place)),
    suggestWithPrefix: () => suggest.suggestWithPrefix(),
    insert: (step) => insertStep(panel, step),
    showPanel: () => panel.show(),
    acceptBest: () => suggest.accept(),
    nextSuggestion: () => suggest.turn(1),
    previousSuggestion: () => suggest.turn(-1),
    prove: (argument) => aside(placeIn(argument), (place) => proofs.prove(place)),
    fillSorries: () => proofs.fillSorries(),
    selectModel: (name) => models.select(name),
    downloadModel: (name) => models.download(name),
    stop: () => (session.state === 'running' ? session.execute('llmstep.stop') : undefined),
    restart: () => session.restart(),
    stopServer: () => session.stop(),
    buildImports: () => buildImports(session, notify),
    restartLean: () => session.execute('llmstep.restartLean'),
    install: () => environment.install(),
    installTorch: () => environment.installTorch(),
    uninstall: () => environment.uninstall(),
    setApiKey: () => environment.setApiKey(),
    doctor: () => doctor.examine(),
    reportIssue: () => fault.open(),
    showLog: () => { log.show(); },
    toggleIdle: () => toggleIdle(),
    showActions: () => showActions(session),
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', '@ext:llmstep.llmstep'),
    openWalkthrough: () => vscode.commands.executeCommand('workbench.action.openWalkthrough', 'llmstep.llmstep#start'),
  };
  const registered: { dispose(): unknown }[] = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(`llmstep.${name}`, async (argument?: unknown) => {
      try {
        return await run(argument);
      } catch (error) {
        tell(notify, error);
        return undefined;
      }
    }),
  );
  registered.push(doctor);
  return registered;
}
