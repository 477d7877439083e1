import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coversSelector, isVisibleType } from '#domain/event/visible-types.ts';

test('a type is visible if a selector matches it', () => {
  assert.ok(isVisibleType(undefined, 'posthorn.endpoint.failing'));
  assert.ok(isVisibleType(['order.*', 'a'], 'order.paid'));
  assert.ok(isVisibleType(['order.*', 'a'], 'a'));
  assert.ok(isVisibleType(['*'], 'anything'));
  for (const type of ['order', 'orders.paid', 'ab', '']) {
    assert.ok(!isVisibleType(['order.*', 'a'], type), type);
  }
  assert.ok(!isVisibleType(['*'], 'posthorn.endpoint.failing'));
  assert.ok(!isVisibleType([], 'a'));
});

test('a selector is covered if all that it matches is visible', () => {
  const visible = ['order.*', 'invoice.paid', 'a.b.*'];
  for (const selector of ['order.*', 'order.paid', 'order.paid.*', 'invoice.paid', 'a.b.c.*']) {
    assert.ok(coversSelector(visible, selector), selector);
  }
  for (const selector of [
    '*',
    'order',
    'invoice.*',
    'invoice.paid.*',
    'a.*',
    'ord.*',
    'posthorn.*',
  ]) {
    assert.ok(!coversSelector(visible, selector), selector);
  }
  assert.ok(coversSelector(['*'], '*'));
  assert.ok(coversSelector(['*'], 'order.*'));
  assert.ok(!coversSelector(['*'], 'posthorn.*'));
  assert.ok(coversSelector(undefined, '*'));
});
