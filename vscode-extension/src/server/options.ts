import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type * as vscode from 'vscode';
import {
  type ClientCapabilities,
  CloseAction,
  ErrorAction,
  type ErrorHandler,
  type LanguageClient,
  type LanguageClientOptions,
  type ServerCapabilities,
  type StaticFeature,
} from 'vscode-languageclient/node';
import type { Launch } from '../python/launch';

/** What the session needs from the rest of the extension. */
export interface SessionHost {
  readonly log: vscode.LogOutputChannel;
  /** How to start, `unasked` with the window or by a command; undefined where there is nothing to start. */
  launch(unasked: boolean): Promise<Launch | undefined>;
  settings(): Record<string, unknown>;
  /** Register handlers on a new client, before it starts. */
  prepare(client: LanguageClient): void;
  /** The server has ended by itself. */
  crashed(restarting: boolean): void;
  failed(error: unknown): void;
}

/** There is no server, and the user has been told why. */
export class NotRunning extends Error {
  constructor() {
    super('llmstep does not run.');
  }
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
 */
export function clientOptions(host: SessionHost, configure: () => Promise<void>): LanguageClientOptions {
  return {
    documentSelector: SELECTOR,
    outputChannel: host.log,
    stdioOptions: { stdout: ignore, stderr: logOf },
    initializationFailedHandler: () => false,
    errorHandler: ERRORS,
    markdown: { isTrusted: { enabledCommands: ['llmstep.insert'] } }, // the links of the hints
    middleware: {
      workspace: {
        // The server asks for its settings when it starts; what it was told at `initialize` could not be unset.
        configuration: (params) =>
          params.items.map((item) => (item.section === 'llmstep' ? host.settings() : null)),
        didChangeConfiguration: () => configure(),
      },
    },
  };
}

/** What this client tells the server, and takes into its own hands. */
export const COMPANION: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    // The server then sends `llmstep/message` instead of `window/showMessage`, so that there can be a fitting button,
    // and tells the panel of news.
    const own = { llmstepMessages: true, llmstepKnown: true };
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), ...own };
  },
  preInitialize(capabilities: ServerCapabilities): void {
    // The commands belong to the extension, which also has them while no server runs.
    delete capabilities.executeCommandProvider;
  },
  initialize: ignore,
  getState: () => ({ kind: 'static' }),
  clear: ignore,
};

/** Records of the server's log, which come over the wire too. */
const RECORD = /^\d{4}-\d\d-\d\d [\d:,]+ (?:DEBUG|INFO|WARNING|ERROR) /;

/** What the server writes to stderr: records as details, the rest, a traceback for example, as it is. */
export function logOf(stderr: Readable, log: vscode.LogOutputChannel): void {
  createInterface({ input: stderr }).on('line', (line) => {
    if (RECORD.test(line)) {
      log.debug(line);
    } else {
      log.warn(line);
    }
  });
}

/** Of the server's stdout, which is the wire, and for what has nothing to register. */
function ignore(): void {
  // nothing
}
