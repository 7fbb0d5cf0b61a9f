import * as vscode from 'vscode';

const NAMES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
const DIRECT = ['localhost', '127.0.0.1', '::1'];

/** The environment's variables for a proxy that only VS Code knows; none where the environment names one itself. */
export function proxyVariables(environment: NodeJS.ProcessEnv, proxy = proxyOfSettings()): NodeJS.ProcessEnv {
  if (proxy === '' || NAMES.some((name) => (environment[name] ?? '') !== '')) {
    return {};
  }
  const direct = [environment.NO_PROXY ?? environment.no_proxy ?? '', ...DIRECT].filter((each) => each !== '');
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct.join(',') };
}

function proxyOfSettings(): string {
  const http = vscode.workspace.getConfiguration('http');
  return http.get<string>('proxySupport') === 'off' ? '' : (http.get<string>('proxy') ?? '').trim();
}
