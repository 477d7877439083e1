import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compileFilter } from '#domain/filter/compile-filter.ts';
import { filterNeedsData } from '#domain/filter/needs-data.ts';
import { limits } from '#domain/limits.ts';

const event = {
  id: 'evt_1',
  type: 'order.created',
  source: '/shop',
  time: '2025-03-04T05:06:07Z',
  region: 'eu',
  data: {
    amount: 120.5,
    customer: { tier: 'gold', tags: ['vip', 'b2b'] },
    items: [
      { sku: 'A-1', quantity: 2 },
      { sku: 'B-2', quantity: 9 },
    ],
    note: null,
  },
};

const cases: [filter: Record<string, unknown>, matches: boolean][] = [
  [{}, true],
  [{ region: 'eu', type: { $in: ['order.created', 'order.paid'] } }, true],
  [{ time: { $gte: '2025-03-01T00:00:00Z', $lt: '2025-04-01T00:00:00Z' } }, true],
  [{ 'data.amount': { $gt: 100 }, 'data.customer.tier': 'gold' }, true],
  [{ 'data.amount': { $gt: '100' } }, false],
  [{ 'data.customer.tags': 'vip' }, true],
  [{ 'data.customer.tags': { $ne: 'vip' } }, false],
  [{ 'data.items.1.sku': 'B-2' }, true],
  [{ 'data.items.sku': 'B-2' }, true],
  [{ 'data.items': { $elemMatch: { sku: 'A-1', quantity: { $gt: 5 } } } }, false],
  [{ 'data.items': { $elemMatch: { sku: 'B-2', quantity: { $gt: 5 } } } }, true],
  [{ 'data.note': null, 'data.absent': null }, true],
  [{ 'data.note': { $exists: true }, 'data.absent': { $exists: false } }, true],
  [{ subject: { $exists: true } }, false],
];

for (const [filter, matches] of cases) {
  test(`${JSON.stringify(filter)} ${matches ? 'matches' : 'does not match'}`, () => {
    assert.equal(compileFilter(filter)(event), matches);
  });
}

test('only own properties are fields', () => {
  const on = (filter: string, document: string) =>
    compileFilter(JSON.parse(filter) as Record<string, unknown>)(
      JSON.parse(document) as Record<string, unknown>,
    );
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const exists = `{"data.${name}": {"$exists": true}}`;
    assert.equal(on(exists, '{"data": {}}'), false, name);
    assert.equal(on(exists, '{"data": [{}]}'), false, name);
    assert.equal(on(exists, `{"data": {"${name}": 1}}`), true, name);
    assert.equal(on(`{"data.${name}.length": {"$exists": true}}`, '{"data": []}'), false, name);
  }
  assert.equal(on('{"__proto__": null}', '{"id": "1"}'), true);
});

test('values that JSON does not have are compared without throwing', () => {
  const filters = cases.map(([filter]) => compileFilter(filter));
  const odd = [
    undefined,
    10n,
    Symbol('s'),
    () => 1,
    new Date(),
    new Map(),
    NaN,
    Object.create(null),
  ];
  for (const value of odd) {
    for (const filter of filters) {
      assert.equal(typeof filter({ data: value, time: value, type: [value] }), 'boolean');
    }
  }
});

test('data of any depth is answered', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = i % 2 === 0 ? [deep] : { a: deep };
  for (const condition of [{ a: [{ a: 1 }] }, { $elemMatch: { a: 1 } }, { $ne: [[[1]]] }]) {
    assert.equal(typeof compileFilter({ data: condition })({ data: deep }), 'boolean');
    assert.equal(typeof compileFilter({ 'data.a.0.a': condition })({ data: deep }), 'boolean');
  }
});

test('patterns that hang a backtracking engine are evaluated in linear time', () => {
  const hostile = 'a'.repeat(limits.filterRegexInputLengthMax - 1) + '!';
  for (const $regex of ['^(a+)+$', '^(a|aa)+$', '^(a|a?)+$', '(.*)*x$', '^(([a-z])+.)+[A-Z]$']) {
    assert.equal(compileFilter({ subject: { $regex } })({ subject: hostile }), false, $regex);
    assert.equal(compileFilter({ subject: { $regex } })({ subject: 'b' }), false, $regex);
  }
  assert.equal(compileFilter({ subject: { $regex: '^(a+)+!$' } })({ subject: hostile }), true);
});

test('a text over the bound does not match a regex, one at it does', () => {
  const filter = compileFilter({ subject: { $regex: '^[a]' } });
  const max = limits.filterRegexInputLengthMax;
  assert.equal(filter({ subject: 'a'.repeat(max) }), true);
  assert.equal(filter({ subject: 'a'.repeat(max + 1) }), false);
});

test('the budget for regexes is for one event, and new for the next', () => {
  const filter = compileFilter({ data: { $regex: '[ab]{900}x' } });
  const text = 'a'.repeat(4000);
  const match = `${'a'.repeat(900)}x`;
  assert.equal(filter({ data: [text, match] }), true);
  assert.equal(filter({ data: [text, text, text, match] }), false);
  assert.equal(filter({ data: [text, match] }), true);
});

test('an array over the budget meets no condition, and the next event has a full budget', () => {
  const many = Array.from({ length: 200_000 }, () => ({ a: 2 }));
  const over = { data: [...many, { a: 1 }] };
  const few = { data: [{ a: 2 }, { a: 1 }] };
  const expensive: [string, Record<string, unknown>][] = [
    ['paths', { $or: Array.from({ length: 90 }, (_, i) => ({ 'data.a': i === 89 ? 1 : -1 })) }],
    ['elements', { $or: Array.from({ length: 30 }, () => ({ data: { $elemMatch: { a: 3 } } })) }],
    ['fields', { data: { $elemMatch: { $or: Array.from({ length: 90 }, () => ({ a: 3 })) } } }],
    ['a list', { data: { $in: Array.from({ length: 100 }, (_, i) => ({ a: -i })) } }],
  ];
  for (const [what, filter] of expensive) {
    const work = { steps: 0 };
    compileFilter(filter)(over, work);
    const most = limits.filterComparisonsMax + limits.regexStepsMax;
    assert.ok(work.steps > 1_000_000 && work.steps <= most, `${what}: ${work.steps}`);
  }
  const [, first] = expensive[0] as (typeof expensive)[0];
  const filter = compileFilter(first);
  assert.equal(filter(over), false);
  assert.equal(filter(few), true);
  const cheap = { steps: 0 };
  filter(few, cheap);
  assert.ok(cheap.steps < 1000, String(cheap.steps));
});

test('a path of positions cannot make the work grow beyond its bound', () => {
  let document: unknown = { 0: [{}] };
  for (let i = 0; i < 40; i++) document = { 0: [document] };
  let evaluated = 0;
  const counting = new Proxy(document as object, {
    get(target, key, receiver) {
      evaluated++;
      return Reflect.get(target, key, receiver);
    },
  });
  const path = ['data', ...Array.from({ length: limits.filterPathSegmentsMax - 1 }, () => '0')];
  compileFilter({ [path.join('.')]: 'none' })({ data: [counting] });
  assert.ok(evaluated > 0 && evaluated < 100, String(evaluated));
});

test("a filter's use of data is found at every level of joins", () => {
  assert.equal(filterNeedsData({}), false);
  assert.equal(filterNeedsData({ source: 'a', database: 1 }), false);
  assert.equal(filterNeedsData({ $or: [{ type: 'a' }, { $nor: [{ subject: 'b' }] }] }), false);
  assert.equal(filterNeedsData({ data: null }), true);
  assert.equal(filterNeedsData({ $or: [{ type: 'a' }, { $nor: [{ 'data.x': 'b' }] }] }), true);
});

test('a filter that does not read data has the same verdict without it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Record<string, unknown>>(
        { type: 'a' },
        { $nor: [{ source: 'a' }] },
        { $or: [{ subject: null }, { type: { $gt: 'a' } }] },
      ),
      fc.record({ type: fc.constantFrom('a', 'b'), data: fc.jsonValue() }),
      (filter, { type, data }) => {
        assert.equal(filterNeedsData(filter), false);
        assert.equal(compileFilter(filter)({ type, data }), compileFilter(filter)({ type }));
      },
    ),
  );
});
