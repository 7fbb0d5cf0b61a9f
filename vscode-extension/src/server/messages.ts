import { type Action, type Notifier, commandAction } from '../notify';
import type { ServerMessage } from './protocol';

const SELECT_MODEL = commandAction('Select Model…', 'llmstep.selectModel');
const RESTART_LEAN = commandAction('Restart Lean', 'llmstep.restartLean');
/** The button beside the settings, by the code of the error. */
const BUTTONS: Readonly<Record<string, Action>> = {
  model: SELECT_MODEL,
  model_not_found: SELECT_MODEL,
  model_load: SELECT_MODEL,
  model_too_large: SELECT_MODEL,
  download: SELECT_MODEL,
  lean_imports: commandAction('Build the Imports', 'llmstep.buildImports'),
  lean: RESTART_LEAN,
  lean_project: RESTART_LEAN,
  lean_crashed: RESTART_LEAN,
  // of the Lean 4 extension, for errors of its server
  editor_lean: commandAction('Restart the Lean Server', 'lean4.restartServer'),
  editor_lean_timeout: commandAction('Restart File', 'lean4.restartFile'),
};

/** Show a message of the server with the button that helps with this kind of error. */
export function show(notify: Notifier, { kind, code, message, hint }: ServerMessage): Promise<void> {
  const sentence = `${message} ${hint}`.trimEnd();
  return kind === 'info' ? notify.info(sentence) : notify.error(sentence, ...actionsFor(code, sentence));
}

/** The buttons for an error: the setting that the sentence names, and what else helps with this kind. */
export function actionsFor(code: string, sentence: string): Action[] {
  const named = /\bllmstep\.([a-z]\w*(?:\.[a-z]\w*)*)/.exec(sentence)?.[1];
  if (code === 'lean_not_found') {
    return [openSetting('lean.command')];
  }
  const button = BUTTONS[code];
  return [
    ...(code === 'settings' || (named !== undefined && code !== 'lean_imports') ? [openSetting(named)] : []),
    ...(button === undefined ? [] : [button]),
  ];
}

function openSetting(name: string | undefined): Action {
  const query = name === undefined ? '@ext:llmstep.llmstep' : `llmstep.${name}`;
  return commandAction('Open Settings', 'workbench.action.openSettings', query);
}
