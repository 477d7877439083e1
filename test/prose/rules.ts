/** The rules of CONTRIBUTING.md, "Language", as far as a program can see them. */
import type { Passage } from './passage.ts';

export interface Finding {
  file: string;
  line: number;
  rule: string;
  sentence: string;
}

interface Rule {
  name: string;
  pattern: RegExp;
}

export const SENTENCE_WORDS_MAX = 35;

/**
 * Relative clauses in place of a noun, and words that the field does not use for what they mean.
 */
const rules: Rule[] = [
  {
    name: 'say who: name the caller, client, worker or owner',
    pattern:
      /\b(?:nobody|somebody|whoever|who (?:is|are|has|have|had|does|asks|starts|begins|goes|waits|wants|gives|takes|makes|reads|calls|needs|only|alone))\b/i,
  },
  {
    name: 'say what: name the message, delivery, request or value',
    pattern:
      /\b(?:whatever|what (?:is|are|was|were|it|they|comes|came|goes|waits|stands|follows|finds|needs|an?|has|have|had|belongs|remains|can|cannot|must|may|no|another))\b/i,
  },
  {
    name: 'write "again", "while", "always", "forever"',
    pattern: /\b(?:anew|meanwhile|for ever|all the same|in any case)\b/i,
  },
  {
    name: 'write "in flight", "unacked", "held"',
    pattern: /\bin hand\b/i,
  },
  {
    name: 'write "redeliver", "return", "retry"',
    pattern: /\b(?:come|comes|came|coming) (?:again|a second time)\b/i,
  },
  {
    name: 'write "schedule", "delay", "park"',
    pattern: /\b(?:put|puts|putting) off\b/i,
  },
  {
    name: 'write "release", "drop"',
    pattern: /\b(?:let|lets|letting) go\b/i,
  },
  {
    name: 'write "is", "contains", "represents", "waits"',
    pattern: /\bstands? (?:in|for|still|behind|there|beside|before|at|between|by)\b/i,
  },
  {
    name: 'write "continue", "resume"',
    pattern: /\b(?:goes on|go on|went on|going on)\b/i,
  },
  {
    name: 'write "is unavailable", "is down"',
    pattern: /\b(?:is|are|was|be|being) away\b/i,
  },
  {
    name: 'write "immediately", "concurrently", "at the same time" or "in one message"',
    pattern: /\bat once\b/i,
  },
  {
    name: 'write "if"',
    pattern:
      /\b(?:also|even|only|undefined|false|true|null|none|throws|refused|rejected|required) where (?!to\b|from\b)/i,
  },
  {
    name: 'write "alongside", "in addition to", "with" or "during"',
    pattern: /\bbeside\b/i,
  },
  {
    name: 'write "read", "query", "request"',
    pattern:
      /\bask(?:s|ed|ing)? (?:the (?:bucket|streams?|history|brokers?|database|leaders?)|code|NATS|MongoDB|CONFIG|JetStream|control|ingress)\b/i,
  },
  {
    name: 'write "whether", "report", "notify", "distinguish"',
    pattern: /\b(?:(?:is|are|was|were|all|when|as) told|tells? (?:whether|it|them|if))\b/i,
  },
  {
    name: 'write "create", "cause", "start"',
    pattern:
      /\bma(?:kes?|de|king) (?:an?|one|two|no|its|the|each|empty|new)(?: (?:new|second|further|next|first))? (?:dead letter|deliver(?:y|ies)|cop(?:y|ies)|shards?|streams?|consumers?|buckets?|namespaces?|tenants?|endpoints?|events?|snapshots?|spans?|keys?)\b/i,
  },
  {
    name: 'name the noun again in place of "is that of"',
    pattern: /\b(?:is|are) (?:that|those) of\b/i,
  },
  {
    name: 'write "has passed", "has ended", "has expired"',
    pattern:
      /\b(?:time|window|delay|fault|roll|lease|wait)\b[^.;:,]{0,20} (?:is|was) over(?=[.,;:]|$)/i,
  },
  {
    name: 'write "read", "evaluate", "check"',
    pattern:
      /\b(?:filters?|schemas?|router|program|something) (?:that )?(?:it )?looks? (?:at|into)\b/i,
  },
  {
    name: 'write "our", "permanently", "invalid"',
    pattern: /\b(?:of ours|for good|that (?:is|are) none)\b/i,
  },
];

/** Names whose meaning a reader has to look up, each with names to use instead. */
const vagueNames = new Map([
  ['anew', 'recreated, restarted'],
  ['asked', 'requested, stopRequested'],
  ['away', 'unavailable'],
  ['dear', 'expensive'],
  ['heard', 'received'],
  ['look', 'poll, check, read'],
  ['looked', 'polled, evaluated'],
  ['looks', 'polls, checks'],
  ['said', 'the noun: text, value, fields'],
  ['saw', 'received, observed'],
  ['tell', 'notify, report, announce'],
  ['things', 'the noun'],
  ['told', 'announced, reported'],
]);

/** Returns the better names for a vague one. */
export function findVagueName(name: string): string | undefined {
  return vagueNames.get(name);
}

/** Returns one finding for each rule that a sentence breaks. */
export function findFaults({ file, line, kind, text }: Passage): Finding[] {
  const findings: Finding[] = [];
  for (const { sentence, offset } of sentencesOf(text)) {
    const at = line + countLines(text.slice(0, offset));
    const shown = sentence.replaceAll(/\s+/g, ' ').trim();
    for (const { name, pattern } of rules) {
      // A heading may be a question without its mark: "What is refused".
      const text = kind === 'heading' ? shown.replace(/^(?:what|who) /i, '') : shown;
      if (pattern.test(text)) findings.push({ file, line: at, rule: name, sentence: shown });
    }
    const words = shown.split(' ').filter((word) => /\w/.test(word)).length;
    if (words > SENTENCE_WORDS_MAX) {
      const rule = `${words} words; ${SENTENCE_WORDS_MAX} are allowed`;
      findings.push({ file, line: at, rule, sentence: shown });
    }
  }
  return findings;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

function sentencesOf(text: string): { sentence: string; offset: number }[] {
  // A line break inside a paragraph ends no sentence for the segmenter's reader, but does for the
  // segmenter.
  const flat = text.replaceAll(/\n(?!\s*\n)/g, ' ');
  return [...segmenter.segment(flat)].flatMap(({ segment, index }) =>
    segment
      .split(/(?<=[;:]\s)(?=[A-Z])|\n\s*\n|\u2029/)
      .map((sentence) => ({ sentence, offset: index })),
  );
}

function countLines(text: string): number {
  return text.split('\n').length - 1;
}
