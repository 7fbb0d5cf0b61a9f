import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { type InstallOutcome, type Order, type Step, install } from '../environment/install';
import { fingerprint, placesIn, inspect } from '../environment/disk';
import { type Command, type Source, type Tool, pip, uv } from '../environment/tools';
import { findPython, onPath } from '../python/find';
import { isAlive, temporaryFolder, until } from './folder';

const EXTENSION = '1.0.0';

/** A tool that makes real environments and puts stand-ins of the packages into them, by commands that can be told to fail. */
class FakeTool implements Tool {
  constructor(
    private readonly base: string,
    private readonly extras: Readonly<Record<string, string>> = {},
  ) {}

  makeEnvironment(root: string): Command {
    return this.#sh('make', `"${this.base}" -I -m venv --without-pip --clear "${root}"`);
  }

  tryOut(): Command {
    return { command: 'true', args: [] };
  }

  install(python: string, what: string, source: Source): Command {
    const old = this.extras.versions;
    if (source.versions !== undefined && old !== undefined) {
      return this.#sh('versions', `grep -q "==" "${source.versions}"`);
    }
    const name = what.startsWith('torch') ? 'torch' : 'llmstep';
    const packages = name === 'torch' ? ['torch'] : ['transformers', 'llmstep', 'llmstep/lsp', 'llmstep/lsp/setup'];
    const site = `$("${python}" -c "import site; print(site.getsitepackages()[0])")`;
    const make = packages.map((each) => `mkdir -p "${site}/${each}" && touch "${site}/${each}/__init__.py"`);
    const info = `mkdir -p "${site}/llmstep-1.0.0.dist-info" && printf 'Name: llmstep\\nVersion: 1.0.0\\n' > "${site}/llmstep-1.0.0.dist-info/METADATA"`;
    return this.#sh(name, `echo "Collecting ${name}" && ${[...make, ...(name === 'torch' ? [] : [info])].join(' && ')}`);
  }

  replace(): Command {
    return this.#sh('replace', 'true');
  }

  #sh(name: string, line: string): Command {

    return { command: 'sh', args: ['-c', `${line} && ${this.extras[name] ?? 'true'}`] };
  }
}

suite('installing', () => {
  const folder = temporaryFolder();
  let base = '';

  suiteSetup(async () => {
    const found = await findPython(onPath(process.env.PATH ?? '', process.platform));
    assert.equal(found.kind, 'python');
    base = found.python.executable;
  });

  const order = (tool: Tool, changes: Partial<Order> = {}): Order => {
    const wheel = path.join(folder(), 'llmstep-1.0.0-py3-none-any.whl');
    writeFileSync(wheel, 'wheel');
    return {
      places: placesIn(folder()),
      tool,
      wheel,
      extension: EXTENSION,
      torch: 'cpu',
      torchIndexUrl: '',
      wheelhouse: '',
      ...changes,
    };
  };
  const go = async (made: Order, signal = new AbortController().signal): Promise<[InstallOutcome, Step[]]> => {
    const steps: Step[] = [];
    const outcome = await install(made, { signal, onStep: (step) => steps.push(step), onLine: () => undefined });
    return [outcome, steps];
  };
  const state = async (made: Order): Promise<string> =>
    (await inspect(made.places, { extension: EXTENSION, wheel: await fingerprint(made.wheel) })).kind;

  test('makes a whole environment, and says each step', async () => {
    const tool = new FakeTool(base);
    const made = order(tool);
    const [outcome, steps] = await go(made);
    assert.deepEqual(outcome, { kind: 'installed' });
    assert.equal(await state(made), 'ready');
    assert.deepEqual(steps.map(({ message }) => message), [
      'Making an environment',
      'Installing PyTorch',
      'Installing PyTorch: Collecting torch',
      'Installing llmstep',
      'Installing llmstep: Collecting llmstep',
      'Trying it',
      'Done',
    ]);
    const percents = steps.map(({ percent }) => percent);
    assert.deepEqual(percents, percents.toSorted((a, b) => a - b));
    assert.equal(percents.at(-1), 100);
    assert.ok(!existsSync(made.places.lock));
  });

  test('a failure leaves it half made, and a second try goes on from there', async () => {
    const failing = order(new FakeTool(base, { llmstep: '{ echo "ERROR: No space left." >&2; exit 1; }' }));
    const [outcome] = await go(failing);
    assert.deepEqual(outcome, { kind: 'failed', step: 'Installing llmstep', reason: 'the disk is full', hint: 'Free some space.' });
    assert.equal(await state(failing), 'halfMade');
    const tool = new FakeTool(base);
    const [second, steps] = await go(order(tool));
    assert.deepEqual(second, { kind: 'installed' });
    assert.equal(steps[0]?.message, 'Installing PyTorch'); // the environment itself was there
    assert.equal(await state(failing), 'ready');
  });

  test('takes the versions that were tested, and others only where those are not to be had', async () => {
    const versions = path.join(folder(), 'constraints.txt');
    for (const [command, ...words] of [
      ['python', '-I', '-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', '--constraint', versions, 'w.whl'],
      ['uv', 'pip', 'install', '--python', 'python', '--constraint', versions, 'w.whl'],
    ]) {
      const tool = command === 'uv' ? uv('uv') : pip('python');
      assert.deepEqual(tool.install('python', 'w.whl', { versions }), { command, args: words });
    }
    writeFileSync(versions, 'torch==2.13.0\n');
    const lacking = '{ echo "ERROR: No matching distribution found for torch==2.13.0" >&2; exit 1; }';
    assert.equal((await go(order(new FakeTool(base, { versions: lacking }))))[0].kind, 'installed');
    const full = '{ echo "ERROR: No space left." >&2; exit 1; }';
    const made = order(new FakeTool(base, { versions: full }), { torch: 'cuda' });
    assert.deepEqual((await go(made))[0], { kind: 'failed', step: 'Installing PyTorch', reason: 'the disk is full', hint: 'Free some space.' });
    const offline = order(new FakeTool(base, { versions: full }), { wheelhouse: folder() });
    assert.equal((await go(offline))[0].kind, 'installed', 'a wheelhouse has versions of its own');
    rmSync(versions);
  });

  test('one that does not import is not whole', async () => {
    const site = 'lib/python3*/site-packages';
    const made = order(new FakeTool(base, { llmstep: `rm -r "${placesIn(folder()).root}"/${site}/torch` }));
    const [outcome] = await go(made);
    assert.equal(outcome.kind, 'failed');
    assert.match(outcome.reason, /No module named 'torch'/);
    assert.equal(await state(made), 'halfMade');
  });

  test('cancelling ends the commands and leaves nothing', async () => {
    const pidFile = path.join(folder(), 'pid');
    const made = order(new FakeTool(base, { torch: `{ sleep 100 & echo $! > "${pidFile}"; wait; }` }));
    const aborter = new AbortController();
    const running = go(made, aborter.signal);
    await until('the command', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() !== '');
    assert.equal(await state(made), 'halfMade');
    aborter.abort();
    const [outcome] = await running;
    assert.deepEqual(outcome, { kind: 'cancelled' });
    assert.equal(await state(made), 'absent');
    assert.ok(!existsSync(made.places.root));
    assert.ok(!existsSync(made.places.lock));
    await until('the end of its processes', () => !isAlive(Number(readFileSync(pidFile, 'utf8'))));
  });

  test('PyTorch is left out until a model needs it, and then added to what is there', async () => {
    const made = order(new FakeTool(base), { torch: 'none' });
    const [outcome, steps] = await go(made);
    assert.deepEqual(outcome, { kind: 'installed' });
    assert.ok(!steps.some(({ message }) => message.includes('PyTorch')));
    assert.equal(await state(made), 'ready');
    const site = path.join(placesIn(folder()).root, 'lib');
    assert.ok(!existsSync(site) || !readdirSync(site, { recursive: true }).some((each) => String(each).endsWith('/torch')));
    const [added, more] = await go(order(new FakeTool(base)));
    assert.deepEqual(added, { kind: 'installed' });
    assert.equal(more[0]?.message, 'Installing PyTorch'); // into the same environment
    assert.equal(await state(made), 'ready');
  });

  test('another version of the extension updates what is there', async () => {
    const made = order(new FakeTool(base));
    await go(made);
    const tool = new FakeTool(base);
    const [outcome, steps] = await go(order(tool, { extension: '1.0.1' }));
    assert.deepEqual(outcome, { kind: 'installed' });
    assert.ok(!steps.some(({ message }) => message === 'Making an environment'));
    assert.ok(steps.some(({ message }) => message === 'Updating llmstep'));
    assert.equal(await state(made), 'outdated'); // for the version before
  });

  test('an update that is interrupted is not taken for whole', async () => {
    const made = order(new FakeTool(base));
    await go(made);
    await go(order(new FakeTool(base, { replace: 'false' }), { extension: '1.0.1' }));
    assert.equal(await state(made), 'halfMade');
  });

  test('the other build of PyTorch wants a new environment', async () => {
    const made = order(new FakeTool(base));
    await go(made);
    const [, steps] = await go(order(new FakeTool(base), { torch: 'cuda' }));
    assert.equal(steps[0]?.message, 'Making an environment');
  });

  test('two windows do not install at once', async () => {
    const made = order(new FakeTool(base));
    mkdirSync(folder(), { recursive: true });
    writeFileSync(made.places.lock, String(process.ppid)); // a living process, not this one
    assert.deepEqual((await go(made))[0], { kind: 'busy' });
    assert.equal(await state(made), 'absent');
    assert.ok(existsSync(made.places.lock)); // still the other's
  });

  test('a tool that is not there is a failure with its reason', async () => {
    const tool = new FakeTool(base);
    tool.makeEnvironment = () => ({ command: '/no/such/tool', args: [] });
    const [outcome] = await go(order(tool));
    assert.equal(outcome.kind, 'failed');
    assert.match(outcome.reason, /ENOENT/);
  });
});
