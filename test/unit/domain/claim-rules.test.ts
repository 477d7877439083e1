import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolePresets } from '#domain/capabilities.ts';
import { parseClaimRules, rightsOf } from '#domain/claim-rules.ts';

test('rules are parsed, with values that contain separators of a rule', () => {
  assert.deepEqual(parseClaimRules(''), []);
  assert.deepEqual(
    parseClaimRules('groups=webhook-admins:admin, scope=urn:x:publish:producer,a=b=c:tenant'),
    [
      { claim: 'groups', value: 'webhook-admins', grant: 'admin' },
      { claim: 'scope', value: 'urn:x:publish', grant: 'producer' },
      { claim: 'a', value: 'b=c', grant: 'tenant' },
    ],
  );
});

test('rejects a rule without a claim, a value or a known grant, naming it', () => {
  for (const text of [
    'groups',
    '=a:admin',
    'groups=:admin',
    'groups=a',
    'groups=a:root',
    'a:admin=b',
  ]) {
    assert.throws(() => parseClaimRules(text), /is not <claim>=<value>:<grant>/, text);
  }
  const many = Array<string>(101).fill('a=b:viewer').join(',');
  assert.throws(() => parseClaimRules(many), /more than 100 rules/);
});

const rules = parseClaimRules('groups=ops:operator,scope=events.publish:producer,vip=true:viewer');

test('the first rule that matches a claim decides', () => {
  const operator = {
    scope: 'platform',
    role: 'operator',
    capabilities: rolePresets.operator,
  } as const;
  assert.deepEqual(rightsOf({ groups: ['dev', 'ops'], scope: 'events.publish' }, rules), operator);
  assert.deepEqual(rightsOf({ groups: 'ops' }, rules), operator);
  assert.deepEqual(rightsOf({ scope: 'openid events.publish' }, rules), { scope: 'producer' });
  assert.equal(rightsOf({ vip: true }, rules)?.role, 'viewer');
});

test('a claim of another form or with another value matches no rule', () => {
  for (const claims of [
    {},
    { groups: 'ops dev' },
    { groups: ['OPS'] },
    { groups: [['ops']] },
    { groups: { ops: true } },
    { scope: 'events.publish.all' },
    { vip: 1 },
  ]) {
    assert.equal(rightsOf(claims, rules), undefined, JSON.stringify(claims));
  }
  const inherited = parseClaimRules('constructor=x:admin,toString=x:admin');
  assert.equal(rightsOf({}, inherited), undefined);
});
