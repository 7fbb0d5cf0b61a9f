import type { Known, Rejected, ShownVerdict, Suggestion } from '../../server/protocol';
import { assertNever, plural, visible } from '../../words';
import type { PanelRequest, PanelState } from '../messages';
import { difference } from './difference';
import { button, element } from './elements';

type Send = (request: PanelRequest) => void;

/** The parts of the page for a state. */
export function render(state: PanelState, send: Send): HTMLElement[] {
  const { known, busy, activity, place } = state;
  const nothing = place === '' ? 'Open a Lean file.' : 'No suggestions for this place yet.';
  const said = busy || activity !== '' ? activity : known === null ? nothing : facts(known);
  return [
    element('h1', {}, place === '' ? 'llmstep' : visible(place)),
    toolbar(state, send),
    element('p', { class: 'said' }, visible(said)),
    ...(known === null ? [] : [element('div', { class: 'known' }, goal(known), steps(known, send))]),
  ];
}

function toolbar({ known, busy, place }: PanelState, send: Send): HTMLElement {
  const nowhere = { disabled: place === '' };
  const ask = known === null ? 'suggest' : 'more';
  return element(
    'div',
    { role: 'toolbar', 'aria-label': 'Actions' },
    button('ask', known === null ? 'Suggest' : 'More', () => { send({ type: ask }); }, nowhere),
    button('prefix', 'Prefix…', () => { send({ type: 'prefix' }); }, nowhere),
    button('prove', 'Whole Proof', () => { send({ type: 'prove' }); }, nowhere),
    button('stop', 'Stop', () => { send({ type: 'stop' }); }, { disabled: !busy }),
  );
}

function goal({ goals }: Known): HTMLElement {
  const more = goals.length - 1;
  return element(
    'section',
    { class: 'goal', 'aria-labelledby': 'goal' },
    element('h2', { id: 'goal' }, more === 0 ? 'Goal' : `Goal (and ${plural(more, 'other')})`),
    element('pre', {}, visible(goals[0] ?? '')),
  );
}

function steps(known: Known, send: Send): HTMLElement {
  const { length } = known.suggestions;
  return element(
    'section',
    { class: 'steps', 'aria-labelledby': 'suggestions' },
    element('h2', { id: 'suggestions' }, `Suggestions (${length})`),
    length === 0
      ? element('p', {}, known.working ? 'None yet.' : 'Lean accepts none of them.')
      : element('ol', {}, ...known.suggestions.map((each, index) => suggestion(known, each, index, send))),
    ...rejected(known),
  );
}

function suggestion(known: Known, each: Suggestion, index: number, send: Send): HTMLElement {
  const { text, verdict, score, source, repairedFrom, remainingGoals } = each;
  const closes = verdict === 'closes';
  const about = `about-${index}`;
  const left = remainingGoals.filter((goal) => !known.goals.slice(1).includes(goal));
  const step = button(
    `step ${text}`,
    '',
    () => { send({ type: 'insert', text }); },
    { class: 'step', 'aria-describedby': about, title: 'Insert this step' },
    element('span', { class: 'rank' }, String(index + 1)),
    element('span', { class: 'mark', 'aria-hidden': 'true' }, closes ? '✓' : ''),
    element('code', {}, visible(text)),
  );
  const copy = button(`copy ${text}`, 'Copy', () => { send({ type: 'copy', text }); }, { class: 'copy', 'aria-label': `Copy ${visible(text)}` });
  const rated = source === 'lean' ? " · one of Lean's own tactics" : score === null ? '' : ` · score ${score.toFixed(2)}`;
  const repaired = typeof repairedFrom === 'string' ? ` · name repaired, the model wrote ${visible(repairedFrom)}` : '';
  return element(
    'li',
    { class: verdict },
    element('div', { class: 'row' }, step, copy),
    element('p', { id: about, class: 'about' }, judgement(verdict, left.length, known.working) + rated + repaired),
    left.length === 0
      ? undefined
      : element(
          'details',
          { 'data-key': `goals ${text}` },
          element('summary', { 'data-key': `fold ${text}` }, 'What it changes'),
          ...left.map((goal) => changed(known.goals[0] ?? '', goal)),
        ),
  );
}

function judgement(verdict: ShownVerdict, left: number, working: boolean): string {
  switch (verdict) {
    case 'closes':
      return 'closes the main goal';
    case 'progress':
      return `leaves ${plural(left, 'goal')}`;
    case 'unchecked':
      return working ? 'is being checked …' : 'not checked';
    default:
      return assertNever(verdict);
  }
}

/** A goal that a step leaves, as the difference to the one before. */
function changed(before: string, after: string): HTMLElement {
  const lines = difference(before, after).map(({ kind, text }) => {
    const name = kind === 'added' ? 'ins' : kind === 'removed' ? 'del' : 'span';
    const sign = kind === 'added' ? '+ ' : kind === 'removed' ? '− ' : '  ';
    return element(name, { class: 'line' }, `${sign}${visible(text)}\n`);
  });
  return element('pre', { class: 'changed' }, ...lines);
}

function rejected({ rejected: steps, rejectedTactics: tactics }: Known): HTMLElement[] {
  const own = refused(tactics, 'tactics', `Lean's own tactics (${tactics.length})`);
  return steps.length === 0
    ? own.map((folded) => element('div', { class: 'rejected' }, folded))
    : refused(steps, 'rejected', `rejected (${steps.length})`, ...own);
}

/** Refused steps, folded; `more` stands below them. */
function refused(steps: readonly Rejected[], key: string, title: string, ...more: HTMLElement[]): HTMLElement[] {
  if (steps.length === 0) {
    return [];
  }
  const items = steps.map(({ text, reason }) =>
    element('li', {}, element('code', {}, visible(text)), element('p', { class: 'about' }, visible(reason))),
  );
  return [
    element(
      'details',
      { class: key, 'data-key': key },
      element('summary', { 'data-key': `fold ${key}` }, title),
      element('ul', {}, ...items),
      ...more,
    ),
  ];
}

/** What the run was: model, time, counts. */
function facts({ model, elapsedMs, summary }: Known): string {
  return `${model} · ${(elapsedMs / 1000).toFixed(1)} s · ${summary}`;
}
