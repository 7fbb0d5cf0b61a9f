import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { takeLock, bundledWheel, fingerprint, placesIn, inspect, removeEnvironment, writeMarker } from '../environment/disk';
import { proxyVariables, knownReason, lacksVersions, pip, readStep, reasonOf, toolEnvironment, uv, findUv } from '../environment/tools';
import { chooseTorch, torchIndex } from '../environment/torch';
import { fakePython, script, temporaryFolder } from './folder';

const WANTED = { extension: '1.0.0', wheel: 'llmstep-1.0.0-py3-none-any.whl 100' };

suite('the environment on the disk', () => {
  const folder = temporaryFolder();

  test('goes from absent to half made to whole, and becomes outdated', async () => {
    const places = placesIn(folder());
    assert.deepEqual(await inspect(places, WANTED), { kind: 'absent' });
    fakePython(places.python, { llmstep: '1.0.0' });
    assert.deepEqual(await inspect(places, WANTED), { kind: 'halfMade' });
    await writeMarker(places, { ...WANTED, torch: 'cpu' });
    assert.equal((await inspect(places, WANTED)).kind, 'ready');
    assert.equal((await inspect(places, { ...WANTED, extension: '1.0.1' })).kind, 'outdated');
    assert.equal((await inspect(places, { ...WANTED, wheel: 'other.whl 1' })).kind, 'outdated');
  });

  test('is broken when its Python has gone, or has lost llmstep', async () => {
    const places = placesIn(folder());
    mkdirSync(places.root, { recursive: true });
    await writeMarker(places, { ...WANTED, torch: 'cpu' });
    assert.equal((await inspect(places, WANTED)).kind, 'broken');
    fakePython(places.python, { llmstep: null });
    assert.deepEqual(await inspect(places, WANTED), { kind: 'broken', reason: 'llmstep is not in it' });
  });

  test('a marker that was cut short counts as none', async () => {
    const places = placesIn(folder());
    fakePython(places.python, { llmstep: '1.0.0' });
    writeFileSync(places.marker, '{"extension": "1.0.0", "whe');
    assert.deepEqual(await inspect(places, WANTED), { kind: 'halfMade' });
  });

  test('is removed whole', async () => {
    const places = placesIn(folder());
    fakePython(places.python, {});
    await writeMarker(places, { ...WANTED, torch: 'cpu' });
    await removeEnvironment(places);
    assert.deepEqual(await inspect(places, WANTED), { kind: 'absent' });
    await removeEnvironment(places); // a second time does nothing
  });

  test('the bundled wheel is found, and told from another of the same name', async () => {
    await assert.rejects(bundledWheel(folder()), /The llmstep wheel of the extension is missing/);
    mkdirSync(path.join(folder(), 'wheel'));
    const wheel = path.join(folder(), 'wheel', 'llmstep-0.1.0-py3-none-any.whl');
    writeFileSync(wheel, 'x'.repeat(10));
    assert.equal(await bundledWheel(folder()), wheel);
    assert.equal(await fingerprint(wheel), 'llmstep-0.1.0-py3-none-any.whl 10');
  });
});

suite('the lock', () => {
  const folder = temporaryFolder();

  test('one at a time; released, or left by a process that has gone, it is free', async () => {
    const file = path.join(folder(), 'lock');
    const lock = await takeLock(file, process.pid);
    assert.ok(lock);
    assert.equal(await takeLock(file, 1), undefined);
    await lock();
    const second = await takeLock(file, 1);
    assert.ok(second);
    writeFileSync(file, '4194305'); // above the largest process id
    assert.ok(await takeLock(file, process.pid));
  });
});

suite('installation tools', () => {
  const folder = temporaryFolder();

  test('pip installs from the usual index, another one, or a folder alone', () => {
    const { command, args } = pip('/base').install('/env/python', 'torch', {});
    assert.equal(command, '/env/python');
    assert.deepEqual(args.slice(-2), ['install', 'torch']);
    const other = pip('/base').install('/env/python', 'torch', { index: 'https://example.org/simple' });
    assert.deepEqual(other.args.slice(-4), ['install', '--index-url', 'https://example.org/simple', 'torch']);
    const offline = pip('/base').install('/env/python', 'torch', { index: 'https://example.org', wheelhouse: '/wheels' });
    assert.deepEqual(offline.args.slice(-5), ['install', '--no-index', '--find-links', '/wheels', 'torch']);
  });

  test('uv brings a Python where none was found', () => {
    assert.deepEqual(uv('/uv').makeEnvironment('/root').args, ['venv', '--clear', '--python', '>=3.10', '/root']);
    assert.deepEqual(uv('/uv', '/p').makeEnvironment('/root').args, ['venv', '--clear', '--python', '/p', '/root']);
  });

  test('uv is found on PATH, or where its installer puts it', async () => {
    assert.equal(await findUv({ PATH: folder(), HOME: folder() }), undefined);
    const own = script(path.join(folder(), '.local', 'bin', 'uv'), 'echo uv 0.9');
    assert.equal(await findUv({ PATH: folder(), HOME: folder() }), own);
    const onPath = script(path.join(folder(), 'uv'), 'echo uv 0.9');
    assert.equal(await findUv({ PATH: folder(), HOME: folder() }), onPath);
  });

  test('nothing in the environment sends an installation elsewhere', () => {
    const kept = toolEnvironment({ PATH: '/bin', PIP_TARGET: '/x', PYTHONPATH: '/y', PIP_INDEX_URL: 'https://mirror' });
    assert.deepEqual(kept, { PATH: '/bin', PIP_INDEX_URL: 'https://mirror', PYTHONUNBUFFERED: '1', NO_COLOR: '1' });
  });

  test('what the tools say of their work is shown, and nothing else', () => {
    for (const line of ['Collecting torch>=2.6', 'Downloading torch (181.3MiB)', 'Resolved 34 packages in 479ms', 'Processing /wheels/attrs.whl']) {
      assert.equal(readStep(`  ${line}`), line);
    }
    assert.equal(readStep(`Installing collected packages: ${'x, '.repeat(100)}`)?.length, 81);
    for (const line of ['Requirement already satisfied: attrs in /x', ' + cattrs==26.2.1', '']) {
      assert.equal(readStep(line), undefined);
    }
  });

  test('the reason of a failure is the last error', () => {
    const pipSays = 'Looking in links: /w\nERROR: Could not find a version\nERROR: No matching distribution found for torch>=2.6';
    assert.equal(reasonOf('', pipSays), 'No matching distribution found for torch>=2.6');
    const pythonSays = 'Traceback (most recent call last):\n  File "<string>", line 1\nModuleNotFoundError: No module named torch';
    assert.equal(reasonOf('', pythonSays), 'ModuleNotFoundError: No module named torch');
    assert.equal(reasonOf('', ''), 'no reason was given');
  });

  const said: readonly (readonly [string, string | undefined])[] = [
    ["WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<HTTPSConnection>: Failed to establish a new connection')': /simple/numba/", 'the package index cannot be reached'],
    ["WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError('Cannot connect to proxy.', ...)': /simple/numba/", 'the package index cannot be reached'],
    ['error: Failed to fetch: `https://pypi.org/simple/numba/`\n  Caused by: dns error: failed to lookup address', 'the package index cannot be reached'],
    ["after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))'", 'the certificate of the package index is not trusted'],
    ['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device', 'the disk is full'],
    ['', undefined],
  ];
  for (const [line, reason] of said) {
    test(`what pip and uv say of ${reason ?? 'a version that there is not'} is told in words`, () => {
      const stderr = `${line}\nERROR: No matching distribution found for numba`;
      assert.equal(knownReason('', stderr)?.reason, reason);
      assert.equal(lacksVersions('', stderr), reason === undefined, 'other versions help only where these are lacking');
    });
  }

  test('the proxy of the settings is used where the environment names none', () => {
    const proxy = 'http://proxy.example.org:3128';
    const direct = 'localhost,127.0.0.1,::1';
    assert.deepEqual(proxyVariables({}, proxy), { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct });
    assert.equal(proxyVariables({ no_proxy: '.example.org' }, proxy).NO_PROXY, `.example.org,${direct}`);
    assert.deepEqual(proxyVariables({ https_proxy: 'http://other' }, proxy), {});
    assert.deepEqual(proxyVariables({}, ''), {});
    assert.equal(toolEnvironment({}, proxyVariables({}, proxy)).HTTPS_PROXY, proxy);
  });
});

suite('the build of PyTorch', () => {
  const gpu = 'GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-0)';

  test('is that for CUDA where a GPU is listed, unless the settings say otherwise', async () => {
    const choose = (configured: 'auto' | 'cpu' | 'cuda', platform: NodeJS.Platform, listed: string): Promise<string> =>
      chooseTorch(configured, platform, () => Promise.resolve(listed));
    assert.equal(await choose('auto', 'linux', gpu), 'cuda');
    assert.equal(await choose('auto', 'win32', gpu), 'cuda');
    assert.equal(await choose('auto', 'linux', ''), 'cpu');
    assert.equal(await choose('auto', 'linux', 'No devices were found'), 'cpu');
    assert.equal(await choose('auto', 'darwin', gpu), 'cpu');
    assert.equal(await choose('cpu', 'linux', gpu), 'cpu');
    assert.equal(await choose('cuda', 'linux', ''), 'cuda');
  });

  test('comes from an index that has it', () => {
    assert.match(torchIndex('cpu', '', 'linux') ?? '', /\/whl\/cpu$/);
    assert.equal(torchIndex('cuda', '', 'linux'), undefined);
    assert.match(torchIndex('cuda', '', 'win32') ?? '', /\/whl\/cu\d+$/);
    assert.equal(torchIndex('cpu', '', 'darwin'), undefined);
    assert.equal(torchIndex('cpu', ' https://mirror/simple ', 'linux'), 'https://mirror/simple');
  });
});
