const SHOWN_MAX = 20;
const REFRESH_SECONDS = 2;

/** A webhook as shown on the receiver's page. */
export interface ReceivedWebhook {
  /** RFC 3339 */
  received_at: string;
  id: string;
  type: string;
  signature_valid: boolean;
  /** Why the signature is not valid. */
  signature_fault?: string;
  headers: Record<string, string>;
  body: string;
}

/**
 * Renders the page of the demo receiver, newest webhook first. It has no script; all received text
 * is escaped.
 */
export function demoPage(webhooks: ReceivedWebhook[]): string {
  const shown = webhooks.slice(0, SHOWN_MAX);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>Posthorn demo receiver</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<h1>Demo receiver</h1>
<p>${summary(webhooks.length, shown.length)}</p>
</header>
<main>
${shown.map(card).join('\n')}
</main>
</body>
</html>
`;
}

function summary(count: number, shown: number): string {
  if (count === 0)
    return 'Nothing has arrived yet. Send the <code>curl</code> of the start banner.';
  const more = count > shown ? `, the newest ${shown} here` : '';
  return `${count} in memory${more}. All as JSON: <a href="/requests">/requests</a>`;
}

function card(webhook: ReceivedWebhook): string {
  const verdict = webhook.signature_valid
    ? '<span class="good">signature valid</span>'
    : `<span class="bad">signature invalid: ${escape(webhook.signature_fault ?? '')}</span>`;
  const rows = Object.entries(webhook.headers).map(
    ([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`,
  );
  return `<article>
<h2>${escape(webhook.type)} ${verdict}</h2>
<p><code>${escape(webhook.id)}</code> <time>${escape(webhook.received_at)}</time></p>
<pre>${escape(webhook.body)}</pre>
<table>${rows.join('')}</table>
</article>`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

export const demoStyle = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 0; font-size: 1.1rem; }
header p { margin: .25rem 0 1.5rem; opacity: .8; }
article { border: 1px solid #8886; border-radius: .5rem; padding: 1rem; margin-bottom: 1rem; }
article p { margin: .25rem 0 .75rem; font-size: .85rem; opacity: .8; }
time { float: right; }
.good, .bad { float: right; font-size: .85rem; padding: 0 .6rem; border-radius: 1rem; color: #fff; }
.good { background: #17703a; }
.bad { background: #a3201f; }
pre { background: #8882; border-radius: .25rem; padding: .75rem; margin: 0 0 .75rem;
  max-height: 24rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; font: .8rem/1.5 ui-monospace, monospace; }
th { text-align: left; font-weight: normal; padding-right: 1.5rem; vertical-align: top; opacity: .7; }
td { overflow-wrap: anywhere; }
`;
