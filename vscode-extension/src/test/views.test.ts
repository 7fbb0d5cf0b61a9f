import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { bytes, itemOf, needs } from '../commands/models';
import { entries } from '../commands/results';
import type { ModelEntry, Status, Suggestion } from '../server/protocol';
import { view } from '../status';

const STATUS: Status = {
  state: 'idle',
  model: 'starter',
  selected: 'starter',
  device: 'cpu',
  lastMs: 812.4,
  message: '',
  engine: 'inProcess',
  url: '',
};
const { Information, Warning } = vscode.LanguageStatusSeverity;

suite('the status item', () => {
  test('model, device and the last latency', () => {
    const { command, ...seen } = view('running', STATUS, true);
    assert.equal(command.command, 'llmstep.showActions');
    assert.deepEqual(seen, { text: 'starter · cpu', detail: 'idle · last 812 ms', busy: false, severity: Information });
  });

  test('what is going on', () => {
    const checking: Status = { ...STATUS, state: 'checking', message: 'Checking 3/6' };
    const seen = view('running', checking, true);
    assert.deepEqual([seen.detail, seen.busy], ['Checking 3/6 · last 812 ms', true]);
    assert.deepEqual(seen.command, { title: 'Stop', command: 'llmstep.stop' }); // it ends where it is shown
  });

  test('before a model is in memory: the one of the settings', () => {
    const seen = view('running', { ...STATUS, state: 'empty', model: '', device: '', lastMs: null }, true);
    assert.deepEqual([seen.text, seen.detail, seen.busy], ['starter', 'no model in memory', false]);
  });

  test('a folder is named by its last part', () => {
    assert.equal(view('running', { ...STATUS, model: '/home/me/models/mine' }, true).text, 'mine · cpu');
    assert.equal(view('running', { ...STATUS, model: 'owner/name' }, true).text, 'owner/name · cpu');
  });

  test('a model elsewhere', () => {
    assert.equal(view('running', { ...STATUS, engine: 'shared' }, true).text, 'starter · cpu · shared');
    assert.equal(view('running', { ...STATUS, engine: 'openai', device: '' }, true).text, 'starter · remote');
    assert.equal(view('running', { ...STATUS, engine: 'inProcess' }, true).text, 'starter · cpu');
  });

  test('that it does not run, and why', () => {
    assert.deepEqual([view('stopped', undefined, true).severity, view('stopped', undefined, true).detail], [Warning, 'does not run']);
    assert.match(view('stopped', undefined, false).detail, /trusted/);
    assert.ok(view('starting', undefined, true).busy);
  });
});

suite('the menu of results', () => {
  test('each step by its title, as text; one of several lines in full below; then what else can be done', () => {
    const place = { textDocument: { uri: 'file:///A.lean' }, position: { line: 1, character: 2 } };
    const step = (text: string, title: string): Suggestion => ({
      text,
      title,
      score: null,
      verdict: 'closes',
      source: 'model',
      repairedFrom: null,
      remainingGoals: [],
      edit: { range: { start: place.position, end: place.position }, newText: text },
    });
    const text = 'cases h with\n  | inl a => exact a\n  | inr b => exact b';
    const found = entries({ suggestions: [step('exact f $(x)\u202E', 'exact f $(x)\u202E ✓'), step(text, 'cases h with … ✓')] }, place);
    assert.deepEqual(
      found.map(({ label, detail }) => [label, detail]),
      [
        ['exact f \\$(x)\\u{202E} ✓', undefined],
        ['cases h with … ✓', 'cases h with ⏎ | inl a => exact a ⏎ | inr b => exact b'],
        ['', undefined],
        ['$(lightbulb) More suggestions', undefined],
        ['$(checklist) Complete the proof', undefined],
      ],
    );
    assert.deepEqual(found[1]?.run, ['llmstep.insert', { ...place, text }]);
  });
});

suite('the model picker', () => {
  const entry: ModelEntry = {
    name: 'pythia',
    repoId: 'owner/pythia',
    family: 'causal',
    template: 'pythia',
    parameters: 2_800_000_000,
    sizeBytes: 5_600_000_000,
    cpuBytes: 3_640_000_000,
    gpuBytes: 7_280_000_000,
    licence: 'mit',
    score: '27.9 %',
    scoreSource: 'its README',
    trustRemoteCode: false,
    summary: 'The model of the first llmstep',
    bundled: false,
    cached: false,
    active: false,
    recommended: false,
  };

  test('shows size, needs, licence, score and whether it is here', () => {
    const item = itemOf(entry);
    assert.equal(item.label, '$(cloud-download) pythia');
    assert.equal(item.description, 'not downloaded · 5.6 GB · licence mit · miniF2F-test 27.9 %');
    assert.equal(
      item.detail,
      'needs 7.3 GB on a GPU or 3.6 GB on the CPU · The model of the first llmstep · score reported by its README',
    );
  });

  test('shows which is active', () => {
    const item = itemOf({ ...entry, active: true, cached: true });
    assert.equal(item.label, '$(check) pythia');
    assert.match(item.description ?? '', /^active · on this machine · /);
  });

  test('shows which is recommended', () => {
    const item = itemOf({ ...entry, recommended: true });
    assert.match(item.description ?? '', /^recommended for this machine · not downloaded · /);
  });

  test('says so where nothing is stated', () => {
    const item = itemOf({ ...entry, licence: null, score: null, scoreSource: null, sizeBytes: null, trustRemoteCode: true });
    assert.equal(item.description, 'not downloaded · licence not stated');
    assert.equal(item.detail, 'runs code of its own · The model of the first llmstep');
  });

  test('sizes', () => {
    assert.equal(bytes(3_811_032), '4 MB');
    assert.equal(bytes(66e9), '66.0 GB');
    assert.equal(needs({ ...entry, cpuBytes: null, gpuBytes: null }), 'runs on any CPU');
  });
});
