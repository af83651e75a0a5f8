// Runs one scenario through ali-oss, the vendor's SDK for JavaScript: `ali_oss_judge.js v1|v4 SCENARIO`. With an address for an endpoint it names the bucket in the header
// `Host`, as it would at the service.
'use strict';

const assert = require('node:assert');
const OSS = require('ali-oss');

const [signature, scenario] = process.argv.slice(2);
const { ENDPOINT, REGION, ACCESS_KEY, SECRET_KEY, PLAIN, VERSIONED, STS_ACCESS_KEY, STS_SECRET_KEY, STS_TOKEN } = process.env;

function client(bucket = PLAIN, more = {}) {
  return new OSS({
    endpoint: ENDPOINT,
    region: `oss-${REGION}`,
    accessKeyId: ACCESS_KEY,
    accessKeySecret: SECRET_KEY,
    bucket,
    authorizationV4: signature === 'v4',
    ...more,
  });
}

async function refused(call, status, code) {
  await assert.rejects(call, (error) => {
    assert.deepStrictEqual([error.status, error.code], [status, code], error.stack);
    return true;
  });
}

const scenarios = {
  async objects_are_put_read_listed_and_deleted() {
    const store = client();
    const keys = ['env:/terraform.tfstate', "a b+c~é/st*te!(').tfstate", '键/状态'];
    for (const key of keys) {
      const put = await store.put(key, Buffer.from('{}\n'), { mime: 'application/json' });
      assert.strictEqual(put.res.headers['x-oss-hash-crc64ecma'], '4208899406445584739');
      const got = await store.get(key);
      assert.strictEqual(got.content.toString(), '{}\n');
      const head = await store.head(key);
      assert.strictEqual(head.res.headers.etag, '"8A80554C91D9FCA8ACB82F023DE02F11"');
    }
    const listed = await store.list({ 'max-keys': 1000 });
    assert.deepStrictEqual(listed.objects.map((found) => found.name).sort(), [...keys].sort());
    const again = await store.listV2({ prefix: 'env:/' });
    assert.deepStrictEqual(again.objects.map((found) => found.name), ['env:/terraform.tfstate']);
    for (const key of keys) {
      await store.delete(key);
      await refused(() => store.get(key), 404, 'NoSuchKey');
    }
  },

  async a_creation_that_forbids_to_overwrite_wins_once() {
    const forbid = { headers: { 'x-oss-forbid-overwrite': 'true' } };
    await client().put('lock', Buffer.from('first'), forbid);
    await refused(() => client().put('lock', Buffer.from('second'), forbid), 409, 'FileAlreadyExists');
    await client(VERSIONED).put('lock', Buffer.from('first'), forbid);
    await client(VERSIONED).put('lock', Buffer.from('second'), forbid);
  },

  async an_append_at_the_beginning_wins_once_and_others_follow() {
    for (const bucket of [PLAIN, VERSIONED]) {
      const store = client(bucket);
      const first = await store.append('log', Buffer.from('1234'));
      assert.strictEqual(first.nextAppendPosition, '4');
      await refused(() => store.append('log', Buffer.from('x')), 409, 'PositionNotEqualToLength');
      await store.append('log', Buffer.from('56789'), { position: '4' });
      assert.strictEqual((await store.get('log')).content.toString(), '123456789');
    }
  },

  async versions_are_kept_listed_read_and_deleted() {
    const store = client(VERSIONED);
    const one = (await store.put('state', Buffer.from('one'))).res.headers['x-oss-version-id'];
    await store.put('state', Buffer.from('two'));
    await store.delete('state');
    const listed = await store.getBucketVersions({ prefix: 'state' });
    assert.strictEqual(listed.objects.length, 2);
    assert.strictEqual(listed.deleteMarker.length, 1);
    assert.strictEqual((await store.get('state', { versionId: one })).content.toString(), 'one');
    await store.delete('state', { versionId: listed.deleteMarker[0].versionId });
    assert.strictEqual((await store.get('state')).content.toString(), 'two');
    const { versionStatus } = await store.getBucketVersioning(VERSIONED);
    assert.strictEqual(versionStatus, 'Enabled');
  },

  async only_who_signs_with_the_right_keys_is_let_in() {
    const put = (more) => client(PLAIN, more).put('k', Buffer.from('x'));
    await refused(() => put({ accessKeySecret: 'wrong' }), 403, 'SignatureDoesNotMatch');
    await refused(() => put({ accessKeyId: 'nobody' }), 403, 'InvalidAccessKeyId');
    const temporary = { accessKeyId: STS_ACCESS_KEY, accessKeySecret: STS_SECRET_KEY };
    await put({ ...temporary, stsToken: STS_TOKEN });
    await refused(() => put({ ...temporary, stsToken: 'other' }), 403, 'InvalidSecurityToken');
  },
};

scenarios[scenario]().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
