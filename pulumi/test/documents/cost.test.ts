import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Estimate, estimate, loads, nodesOf } from '../../cost.ts';
import { prices } from '../../prices.ts';
import { allOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { stackSettings } from '../kit/stack-settings.ts';

const stacks = Object.keys(loads) as (keyof typeof loads)[];

const usdOf = ({ lines }: Estimate, item: string): number => {
  const line = lines.find((candidate) => candidate.item.startsWith(item));
  assert.ok(line, item);
  return line.usd;
};

test('an estimate is the sum of its lines, and gives the cost of a million deliveries', () => {
  for (const stack of stacks) {
    const { lines, usd, usdPerMillion, deliveriesPerMonth } = estimate(stack);
    assert.ok(Math.abs(lines.reduce((sum, line) => sum + line.usd, 0) - usd) < 0.01);
    assert.ok(Math.abs((usdPerMillion * deliveriesPerMonth) / 1e6 / usd - 1) < 0.01);
    for (const line of lines) assert.ok(line.usd >= 0, line.item);
  }
});

test('prod is sized for a million deliveries an hour and costs a few dollars for each million', () => {
  const prod = estimate('prod');
  assert.equal(prod.deliveriesPerMonth, 730e6);
  assert.ok(prod.usdPerMillion > 2 && prod.usdPerMillion < 8, String(prod.usdPerMillion));
});

test('lines of the estimate equal the figures worked out by hand', () => {
  const prod = estimate('prod');
  assert.equal(usdOf(prod, 'NAT gateways'), 98.55); // 3 x 0.045 x 730
  assert.equal(usdOf(prod, 'Control plane'), 73); // 0.1 x 730
  assert.equal(usdOf(prod, 'Bytes to the Internet'), 321.93); // 730e6 x 4900 B x 0.09
  assert.equal(usdOf(prod, 'Public addresses'), 36.5); // 10 x 0.005 x 730
});

test('the estimate counts the resources that the program creates', async () => {
  for (const stack of stacks) {
    const { resources } = await recordPlatform(stack);
    const groups = allOf(resources, 'eks/nodeGroup:NodeGroup').map(
      ({ inputs }) => (inputs['scalingConfig'] as { desiredSize: number }).desiredSize,
    );
    const nodes = groups.reduce((sum, size) => sum + size, 0);
    assert.equal(nodesOf(stackSettings(stack)).count, nodes);
    const one = estimate(stack);
    const addresses = allOf(resources, 'ec2/eip:Eip').length;
    assert.ok(one.lines.some(({ item }) => item === `Public addresses, ${addresses}`));
    const keys = allOf(resources, 'kms/key:Key').length;
    const secrets = allOf(resources, 'secretsmanager/secret:Secret').reduce(
      (sum, { inputs }) => sum + 1 + (inputs['replicas'] as unknown[]).length,
      0,
    );
    const expected = keys * prices.monthly.key + secrets * prices.monthly.secret;
    assert.ok(Math.abs(usdOf(one, 'Keys and secrets') - expected) < 0.01);
  }
});

test('the budget of a stack covers its estimate and is less than twice as much', () => {
  for (const stack of stacks) {
    const budget = Number(stackSettings(stack).monthlyBudgetUsd);
    const { usd } = estimate(stack);
    assert.ok(budget > usd && budget < 2 * usd, `${stack}: ${budget} for ${usd}`);
  }
});

test('rejects an instance type without a price with an error', () => {
  const settings = stackSettings('dev', { natsInstanceType: 'x8g.medium' });
  assert.throws(() => nodesOf(settings), /no price of x8g\.medium/);
});

test('the date of the prices is in the past', () => {
  assert.match(prices.asOf, /^\d{4}-\d\d-\d\d$/);
  assert.ok(Date.parse(prices.asOf) <= Date.now());
});
