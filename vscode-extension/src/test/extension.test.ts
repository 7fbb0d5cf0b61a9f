import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { declaredNames } from '../settings';

interface Api {
  readonly session: { readonly state: string; readonly pid: number | undefined };
  readonly goals: { readonly available: boolean };
}

suite('the extension', () => {
  const extension = vscode.extensions.getExtension<Api>('llmstep.llmstep');

  test('has every command that it declares', async () => {
    await extension?.activate();
    const registered = new Set(await vscode.commands.getCommands(true));
    const { contributes } = extension?.packageJSON as { contributes: { commands: { command: string }[] } };
    const missing = contributes.commands.filter(({ command }) => !registered.has(command));
    assert.deepEqual(missing, []);
  });

  test('gives goals itself where the Lean 4 extension is absent', async () => {
    const api = await extension?.activate();
    assert.equal(api?.goals.available, false);
  });

  test('has every page of its walkthrough, each with a picture', async () => {
    const { contributes } = extension?.packageJSON as {
      contributes: { walkthroughs: { steps: { media: { markdown: string } }[] }[] };
    };
    const pages = contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown));
    assert.equal(pages.length, 4);
    for (const page of pages) {
      const file = path.join(extension?.extensionPath ?? '', page);
      const [, picture] = /!\[[^\]]+\]\(([^)]+)\)/.exec(await readFile(file, 'utf8')) ?? [];
      assert.ok(picture !== undefined, `${page} has no picture`);
      assert.ok((await readFile(path.join(path.dirname(file), picture))).length < 150_000);
    }
  });

  test('every setting has a description, an order and a scope', () => {
    const { contributes } = extension?.packageJSON as {
      contributes: { configuration: { properties: Record<string, Record<string, unknown>> }[] };
    };
    const properties = Object.assign({}, ...contributes.configuration.map((each) => each.properties)) as Record<
      string,
      Record<string, unknown>
    >;
    assert.deepEqual(Object.keys(properties), declaredNames().map((name) => `llmstep.${name}`));
    for (const [name, property] of Object.entries(properties)) {
      for (const key of ['markdownDescription', 'order', 'scope', 'default', 'type']) {
        assert.ok(property[key] !== undefined, `${name} has no ${key}`);
      }
    }
  });
});
