import * as vscode from 'vscode';
import { CloseAction, ErrorAction, type ErrorHandler, type LanguageClientOptions } from 'vscode-languageclient/node';
import type { SessionHost } from './host';
import { ignore, logOf } from './stderr';

/** A question of VS Code for quick fixes, when it is over. */
export interface QuickFixAsk {
  /** Asked to light the lightbulb, and not to open the menu. */
  readonly automatic: boolean;
  /** Given up before there was an answer. */
  readonly cancelled: boolean;
}

const SELECTOR = ['lean4', 'lean'].flatMap((language) =>
  ['file', 'untitled'].map((scheme) => ({ language, scheme })),
);

/** Whether to start again is decided here and not in the client, which would keep its state of a dead server. */
const ERRORS: ErrorHandler = {
  error: () => ({ action: ErrorAction.Continue, handled: true }),
  closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
};

/**
 * How the client behaves.
 *
 * @param configure - Tells the server its settings.
 * @param asked - Called when a question for quick fixes is over.
 */
export function clientOptions(
  host: SessionHost,
  configure: () => Promise<void>,
  asked: (ask: QuickFixAsk) => void,
): LanguageClientOptions {
  return {
    documentSelector: SELECTOR,
    outputChannel: host.log,
    stdioOptions: { stdout: ignore, stderr: logOf },
    initializationFailedHandler: () => false,
    errorHandler: ERRORS,
    markdown: { isTrusted: { enabledCommands: ['llmstep.insert'] } }, // the links of the hints
    middleware: {
      provideCodeActions: async (document, range, context, token, next) => {
        try {
          return await next(document, range, context, token);
        } finally {
          const automatic = context.triggerKind === vscode.CodeActionTriggerKind.Automatic;
          asked({ automatic, cancelled: token.isCancellationRequested });
        }
      },
      workspace: {
        // The server asks for its settings when it starts; what it was told at `initialize` could not be unset.
        configuration: (params) =>
          params.items.map((item) => (item.section === 'llmstep' ? host.settings() : null)),
        didChangeConfiguration: () => configure(),
      },
    },
  };
}
