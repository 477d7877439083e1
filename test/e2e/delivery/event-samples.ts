/** Generated events for the comparison of dry runs with publishing: texts of members. */
import * as fc from 'fast-check';

/** JSON text, with the spellings that a value loses when it is parsed and written again. */
const dataText = fc.oneof(
  fc.constantFrom(
    'null',
    '"text"',
    '"100"',
    '100',
    '1.0e2',
    '-0',
    '12345678901234567890',
    '1e400',
    '{"n":100}',
    '{"n":100.000}',
    '{"n":"100"}',
    '{"n":null}',
    '{"n":-1e400}',
    '{"n":12345678901234567890.5}',
    '{"n":1,"n":100}',
    '{"__proto__":{"n":100}}',
    '{"constructor":{"prototype":1},"n":100}',
    '{"a":{"b":[1,{"c":2}]}}',
    '{"list":[{"n":0},{"n":1}]}',
    '{"10":1,"n":2,"2":3}',
    '"\\ud800"',
    `{"rest":"${'x'.repeat(20_000)}","n":100}`,
    `{"rest":"${'x'.repeat(300_000)}","n":100}`,
    `${'['.repeat(64)}${']'.repeat(64)}`,
  ),
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
);

export type Members = [name: string, text: string][];

const oneOf = (...texts: string[]) => fc.constantFrom(...texts);

/** Absent in half of the events. */
function maybe(name: string, text: fc.Arbitrary<string>): fc.Arbitrary<Members> {
  return fc.option(text, { nil: undefined, freq: 2 }).map((given) => {
    return given === undefined ? [] : [[name, given]];
  });
}

const always = (name: string, text: fc.Arbitrary<string>) =>
  text.map((given): Members => [[name, given]]);

const shared = [
  always(
    'type',
    fc.oneof(
      {
        weight: 3,
        arbitrary: oneOf('"order.created"', '"order\\u002ecreated"', '"invoice.paid"'),
      },
      {
        weight: 1,
        arbitrary: oneOf('"typed.number"', '"typed.high"', '"typed.off"', '"posthorn.order"'),
      },
    ),
  ),
  maybe(
    'time',
    oneOf(
      '"2026-01-31T12:00:00Z"',
      '"2026-01-31t12:00:00z"',
      '"2026-01-31T13:00:00.000+01:00"',
      '"2026-06-30T23:59:60Z"',
    ),
  ),
  maybe('subject', oneOf('"order/42"', '"\\u006frder/42"')),
  maybe('dataschema', oneOf('"https://example.com/s"')),
];

const plainEvent = fc.tuple(
  ...shared,
  maybe('id', oneOf('"s-#"')),
  maybe('source', oneOf('"/shop"', '"/tenants/acme"')),
  maybe('priority', oneOf('"high"', '"normal"')),
  maybe('data', dataText),
);

const cloudEvent = fc.tuple(
  ...shared,
  always('specversion', oneOf('"1.0"', '"1\\u002e0"')),
  always('id', oneOf('"s-#"', '"s.# é"')),
  always('source', oneOf('"/shop"', '"/tenants/acme"')),
  maybe('level', oneOf('2', '2.0', '20e-1', '"2"', 'true', 'null')),
  maybe('posthornpriority', oneOf('"high"', '"normal"')),
  fc.oneof(
    fc
      .tuple(
        maybe(
          'datacontenttype',
          oneOf('"application/json"', '"text/plain"', '"image/png"', 'null'),
        ),
        maybe('data', dataText),
      )
      .map((parts) => parts.flat()),
    maybe('data_base64', oneOf('"AP8="', '"e30="', 'null')),
  ),
);

/** Each replaces or adds members; which of them are refused depends on the form of the event. */
const changes: Members[] = [
  [['type', '""']],
  [['time', '"2026-02-30T12:00:00Z"']],
  [['time', '1769860800']],
  [['time', 'null']],
  [['subject', '""']],
  [['subject', 'null']],
  [['dataschema', 'null']],
  [['priority', '"low"']],
  [['posthornpriority', '"other"']],
  [['level', '2.5']],
  [['level', '9007199254740993']],
  [['level', '{}']],
  [['Region', '"eu"']],
  [['Region', 'null']],
  [['specversion', '"0.3"']],
  [['specversion', 'null']],
  [['source', 'null']],
  [['data_base64', '"?"']],
  [
    ['data_base64', '"e30="'],
    ['data', '1'],
  ],
  [
    ['subject', '"a"'],
    ['subject', '"a"'],
  ],
  [['__proto__', '1']],
  [['datacontenttype', '"text"']],
  [['datacontenttype', '"text/plain; charset=utf-16"']],
  [['data', `${'['.repeat(65)}${']'.repeat(65)}`]],
];

export const sample = fc
  .tuple(
    fc.oneof(plainEvent, cloudEvent).map((parts) => parts.flat()),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Members>([]) },
      { weight: 1, arbitrary: fc.constantFrom(...changes) },
    ),
  )
  .map(([members, change]) => {
    const changed = new Set(change.map(([name]) => name));
    return [...members.filter(([name]) => !changed.has(name)), ...change];
  });

const typed = (type: string, ...rest: Members): Members => [['type', `"${type}"`], ...rest];
const cloudAttributes: Members = [
  ['specversion', '"1.0"'],
  ['id', '"t-#"'],
  ['source', '"/shop"'],
];

/** One of each way in which a type, or the schema of a type, decides about an event. */
export const typedSamples: Members[] = [
  typed('typed.number', ['data', '{"n":100}']),
  typed('typed.number', ['data', '{"n":"100"}']),
  typed('typed.number', ['data', '{"n":1,"n":"100"}']),
  typed('typed.number', ['data', '{"n":-1,"other":1}']),
  typed('typed.number', ['data', `{"rest":"${'x'.repeat(100_000)}","n":100}`]),
  typed('typed.number', ['data', `{"rest":"${'x'.repeat(100_000)}","n":"100"}`]),
  typed('typed.number', ['data', 'null']),
  typed('typed.number'),
  typed('typed.number', ['subject', '""'], ['data', '{}']),
  typed('typed.number', ...cloudAttributes, ['data', '{"n":100}']),
  typed('typed.number', ...cloudAttributes, ['data', '{"n":"100"}']),
  typed('typed.number', ...cloudAttributes, ['data_base64', '"eyJuIjoxfQ=="']),
  typed(
    'typed.number',
    ...cloudAttributes,
    ['datacontenttype', '"text/plain"'],
    ['data', '"{\\"n\\":1}"'],
  ),
  typed('typed.high', ['data', '1']),
  typed('typed.off', ['data', '1']),
  typed('typed.unknown', ['data', '1']),
  typed('posthorn.endpoint.disabled'),
  typed('posthorn.', ...cloudAttributes),
  typed('posthorn', ['data', '1']),
];
