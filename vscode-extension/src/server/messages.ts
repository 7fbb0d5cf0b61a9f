import { type Action, type Notifier, commandAction } from '../notify';
import type { ServerMessage } from './protocol';

const SELECT_MODEL = commandAction('Select Model…', 'llmstep.selectModel');
const BUILD_IMPORTS = commandAction('Build the Imports', 'llmstep.buildImports');
/** The Lean 4 extension's own commands, for errors of its server. */
const RESTART_FILE = commandAction('Restart File', 'lean4.restartFile');
const RESTART_EDITORS_LEAN = commandAction('Restart the Lean Server', 'lean4.restartServer');
const RESTART_LEAN = commandAction('Restart Lean', 'llmstep.restartLean');

/** Show a message of the server with the button that helps with this kind of error. */
export function show(notify: Notifier, { kind, code, message, hint }: ServerMessage): Promise<void> {
  const sentence = `${message} ${hint}`.trimEnd();
  return kind === 'info' ? notify.info(sentence) : notify.error(sentence, ...actionsFor(code, sentence));
}

/** The buttons for an error: the setting that the sentence names, and what else helps with this kind. */
export function actionsFor(code: string, sentence: string): Action[] {
  const named = /\bllmstep\.([a-z]\w*(?:\.[a-z]\w*)*)/.exec(sentence)?.[1];
  const settings = named === undefined ? [] : [openSetting(named)];
  switch (code) {
    case 'settings':
      return [openSetting(named)];
    case 'model':
    case 'model_not_found':
    case 'model_load':
    case 'model_too_large':
    case 'download':
      return [...settings, SELECT_MODEL];
    case 'lean_not_found':
      return [openSetting('lean.command')];
    case 'lean_imports':
      return [BUILD_IMPORTS];
    case 'lean':
    case 'lean_project':
    case 'lean_crashed':
      return [...settings, RESTART_LEAN];
    case 'editor_lean':
      return [...settings, RESTART_EDITORS_LEAN];
    case 'editor_lean_timeout':
      return [...settings, RESTART_FILE];
    default:
      return settings;
  }
}

function openSetting(name: string | undefined): Action {
  const query = name === undefined ? '@ext:llmstep.llmstep' : `llmstep.${name}`;
  return commandAction('Open Settings', 'workbench.action.openSettings', query);
}
