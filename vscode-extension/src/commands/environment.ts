import * as vscode from 'vscode';
import { API_KEY } from '../launcher';
import { anotherPython } from '../notify';
import type { Extension } from '../extension';

/** Install what is missing, or bring what is there in order again. */
export async function install({ launcher, keeper, session, notify }: Extension): Promise<void> {
  const next = await launcher.look();
  if (next.kind === 'start' && !next.managed) {
    void notify.info(
      `llmstep ${next.python.llmstep ?? ''} is installed in ${next.python.executable}, and is used from there.`,
      anotherPython(),
    );
  } else if (next.kind === 'install') {
    await keeper.offer(next.base, next.interrupted, () => void session.restart());
  } else if (next.kind === 'start') {
    await session.stop();
    if (await keeper.install(next.base)) {
      await session.start();
    }
  } else {
    await session.restart(); // tells what is wrong
  }
}

/** Add PyTorch to the extension's own environment; what is in one of the user's the server's message has said. */
export async function installTorch({ launcher, keeper, session }: Extension): Promise<void> {
  const next = await launcher.look();
  if (next.kind === 'start' && next.managed) {
    await keeper.addTorch(next.base, () => session.stop());
    await session.start();
  }
}

export async function uninstall({ keeper, session }: Extension): Promise<void> {
  const detail = 'The models that were downloaded stay.';
  const question = 'Remove the Python environment of llmstep?';
  if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Remove')) !== 'Remove') {
    return;
  }
  await session.stop();
  await keeper.remove();
}

/** Ask for the key of the remote server; an empty one removes it. It never stands in the settings. */
export async function setApiKey({ context, session }: Extension): Promise<void> {
  const key = await vscode.window.showInputBox({
    title: 'Key of the remote server',
    prompt: 'It is kept in the secret storage of VS Code; an empty one removes it.',
    password: true,
    ignoreFocusOut: true,
  });
  if (key === undefined) {
    return;
  }
  await (key === '' ? context.secrets.delete(API_KEY) : context.secrets.store(API_KEY, key));
  await session.restart();
}
