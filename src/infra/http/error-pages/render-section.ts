/**
 * Renders a section of docs/errors.md as HTML: paragraphs, lists, code, bold text and links. Links
 * to other documents become their text, because the server does not have those.
 */

/** Style of the page, as its `style-src` names it by digest. */
export const PAGE_STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}' +
  'code{background:#8882;padding:.1em .3em;border-radius:3px}';

/** @param section in Markdown; none of its text is taken for HTML */
export function renderSection(code: string, section: string): string {
  const blocks = section.split(/\n{2,}/).map((block) => renderBlock(block));
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${code}</title>` +
    `<meta name="viewport" content="width=device-width"><style>${PAGE_STYLE}</style></head>` +
    `<body><main><h1>${code}</h1>${blocks.join('')}</main></body></html>`
  );
}

function renderBlock(block: string): string {
  const lines = block.split('\n');
  if (!lines[0]?.startsWith('- ')) return `<p>${renderText(lines.join(' '))}</p>`;
  const items = block.split(/^- /m).slice(1);
  return `<ul>${items.map((item) => `<li>${renderText(item.trim())}</li>`).join('')}</ul>`;
}

function renderText(text: string): string {
  return escapeHtml(text)
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\[((?:[^\]])+)\]\(([^)]+)\)/g, (_all, label: string, target: string) => {
      const code = /^#(posthorn_\w+)$/.exec(target)?.[1]?.toUpperCase();
      return code === undefined ? label : `<a href="${code}">${label}</a>`;
    });
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => names[character] as string);
}
