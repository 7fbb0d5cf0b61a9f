import type { ClientCapabilities, FeatureState, ServerCapabilities, StaticFeature } from 'vscode-languageclient/node';

/** What this client tells the server, and takes into its own hands. */
export class CompanionFeature implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    // The server then sends `llmstep/message` instead of `window/showMessage`, so that there can be a fitting button,
    // and tells the panel of news.
    const own = { llmstepMessages: true, llmstepKnown: true };
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), ...own };
  }

  preInitialize(capabilities: ServerCapabilities): void {
    // The commands belong to the extension, which also has them while no server runs.
    delete capabilities.executeCommandProvider;
  }

  initialize(): void {
    // nothing to register
  }

  getState(): FeatureState {
    return { kind: 'static' };
  }

  clear(): void {
    // nothing to take back
  }
}
