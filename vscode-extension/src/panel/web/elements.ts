/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** An element with attributes and children; texts become text nodes, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string | undefined)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? '' : value);
    }
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A button; `key` tells it from others when the page is drawn anew. */
export function button(key: string, label: string, run: () => void, attributes: Attributes = {}, ...more: Node[]): HTMLButtonElement {
  const made = element('button', { type: 'button', 'data-key': key, ...attributes }, ...(label === '' ? [] : [label]), ...more);
  made.addEventListener('click', run);
  return made;
}
