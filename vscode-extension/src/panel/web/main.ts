// The script of the panel's page.
import type { PanelRequest, PanelState } from '../messages';
import { element } from './elements';
import { render } from './render';

declare function acquireVsCodeApi(): {
  postMessage(request: PanelRequest): void;
  getState(): readonly string[] | undefined;
  setState(unfolded: readonly string[]): void;
};

const api = acquireVsCodeApi();
const root = element('div');
/** What goes on, for screen readers: they read changes of an element that stays. */
const status = element('p', { role: 'status', class: 'unseen' });
document.body.append(element('main', {}, root, status));
/** Keys of what the user has unfolded; kept while the view is hidden. */
const unfolded = new Set(api.getState());
let drawn = '';

const steps = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>('.step')];

/** Remember what is unfolded of what is shown. */
function noteUnfolded(): void {
  for (const details of root.querySelectorAll('details')) {
    unfolded[details.open ? 'add' : 'delete'](details.getAttribute('data-key') ?? '');
  }
  api.setState([...unfolded]);
}

/** Draw a state, unless it is drawn: a selected text stays so. What has the focus, and what is unfolded, stays too. */
function show(state: PanelState): void {
  const wanted = JSON.stringify(state);
  if (wanted === drawn) {
    return;
  }
  drawn = wanted;
  noteUnfolded(); // the event of an element that is replaced comes too late
  const focused = document.activeElement?.getAttribute('data-key');
  root.replaceChildren(...render(state, (request) => { api.postMessage(request); }));
  for (const details of root.querySelectorAll('details')) {
    const key = details.getAttribute('data-key') ?? '';
    details.open = unfolded.has(key);
    details.addEventListener('toggle', noteUnfolded);
  }
  const said = root.querySelector('.said')?.textContent ?? '';
  if (status.textContent !== said) {
    status.textContent = said;
  }
  if (focused !== undefined && focused !== null) {
    const again = [...root.querySelectorAll<HTMLElement>('[data-key]')].find((each) => each.getAttribute('data-key') === focused);
    (again ?? steps()[0])?.focus();
  }
}

/** Arrows walk through the steps and unfold, Escape goes back to the editor; Enter is the button's own key. */
function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey) {
    return;
  }
  const all = steps();
  const at = all.findIndex((step) => step.closest('li')?.contains(document.activeElement) === true);
  const to: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, Home: 0, End: all.length - 1 };
  const details = all[at]?.closest('li')?.querySelector('details');
  const next = to[event.key];
  if (event.key === 'Escape') {
    api.postMessage({ type: 'leave' });
  } else if (next !== undefined) {
    all[Math.max(0, Math.min(next, all.length - 1))]?.focus();
  } else if ((event.key === 'ArrowRight' || event.key === 'ArrowLeft') && details !== undefined && details !== null) {
    details.open = event.key === 'ArrowRight';
  } else {
    return;
  }
  event.preventDefault();
}

window.addEventListener('message', ({ data }: MessageEvent<PanelState>) => { show(data); });
window.addEventListener('keydown', press);
window.addEventListener('focus', () => {
  if (document.activeElement === null || document.activeElement === document.body) {
    steps()[0]?.focus();
  }
});
api.postMessage({ type: 'ready' });
