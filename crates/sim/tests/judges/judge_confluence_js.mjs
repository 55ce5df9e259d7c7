// confluence.js from Node's packages, with every answer held against its schemas, unknown keys included. Prints what it
// asked; ends with 1 where an answer is not what the schemas say, or does not say what the wiki holds.
import { pathToFileURL } from 'node:url';
import assert from 'node:assert/strict';

const packages = process.env.JUDGES_NODE_PACKAGES;
const load = async name => import(pathToFileURL(`${packages}/confluence.js/dist/${name}`));
assert(process.env.AUDIT_SCHEMAS === 'true');
const { createClient } = await load('core/index.js');
const v1 = await load('v1/index.js');
const v2 = await load('v2/index.js');

const auth = { type: 'basic', email: 'admin@example.com', apiToken: 'admin-token' };
const client = createClient({ host: process.env.FAKE, auth });
const drift = globalThis[Symbol.for('apis-code-gen.schemaAudit')] ??= [];
let asked = 0;
const faults = [];
process.on('uncaughtException', error => {
  faults.forEach(fault => console.log(fault));
  console.log(error.stack);
  process.exit(1);
});
async function ask(name, version, parameters) {
  asked += 1;
  const before = drift.length;
  try {
    const answer = await version[name](client, parameters);
    for (const found of drift.slice(before)) faults.push(`${name}: ${JSON.stringify(found)}`);
    return answer;
  } catch (error) {
    faults.push(`${name}: ${error.message} ${JSON.stringify(error.response?.data ?? error.cause ?? '')}`);
    return undefined;
  }
}

const space = (await ask('getSpaces', v2, { keys: ['OPS'], descriptionFormat: 'plain' })).results[0];
assert.equal(space.key, 'OPS');
await ask('getSpaceById', v2, { id: space.id, includePermissions: true, includeLabels: true, includeOperations: true, includeProperties: true });
await ask('getSpacePermissionsAssignments', v2, { id: space.id });
await ask('getAvailableSpacePermissions', v2, {});
const pages = await ask('getPages', v2, { spaceId: [space.id], bodyFormat: 'storage', sort: '-modified-date', limit: 2 });
assert.equal(pages.results.length, 2);
assert.match(pages._links.next, /^\/wiki\/api\/v2\/pages\?/);
await ask('getPages', v2, { id: ['1001', '1002'], bodyFormat: 'atlas_doc_format', status: ['current', 'trashed'] });
await ask('getPagesInSpace', v2, { id: space.id, depth: 'root' });
const page = await ask('getPageById', v2, {
  id: '1001', bodyFormat: 'storage', includeLabels: true, includeProperties: true, includeOperations: true,
  includeLikes: true, includeVersions: true, includeVersion: true, includeFavoritedByCurrentUserStatus: true,
});
assert.equal(page.labels.results[0].name, 'runbook');
await ask('getPageById', v2, { id: '1002', bodyFormat: 'view' });
await ask('getChildPages', v2, { id: '1001' });
await ask('getPageDirectChildren', v2, { id: '1000' });
await ask('getPageDescendants', v2, { id: '1000' });
assert.deepEqual((await ask('getPageAncestors', v2, { id: '1002' })).results.map(one => one.id), ['1000', '1001']);
await ask('getPageLabels', v2, { id: '1001' });
await ask('getLabels', v2, {});
await ask('getLabelPages', v2, { id: page.labels.results[0].id });
const files = await ask('getPageAttachments', v2, { id: '1001' });
assert.match(files.results[0].id, /^att\d+$/);
await ask('getAttachments', v2, {});
await ask('getAttachmentById', v2, { id: files.results[0].id });
await ask('getAttachmentVersions', v2, { id: files.results[0].id });
await ask('getAttachmentLabels', v2, { id: files.results[0].id });
await ask('getPageFooterComments', v2, { id: '1001', bodyFormat: 'storage' });
await ask('getPageInlineComments', v2, { id: '1001', bodyFormat: 'storage', resolutionStatus: ['open'] });
await ask('getFooterComments', v2, { bodyFormat: 'storage' });
await ask('getInlineComments', v2, {});
await ask('getFooterCommentById', v2, { commentId: '1100', bodyFormat: 'storage' });
await ask('getInlineCommentById', v2, { commentId: '1102', bodyFormat: 'storage' });
assert.equal((await ask('getFooterCommentChildren', v2, { id: '1100' })).results[0].id, '1101');
await ask('getFooterCommentVersions', v2, { id: '1100' });
await ask('getPageVersions', v2, { id: '1001', bodyFormat: 'storage' });
await ask('getPageVersionDetails', v2, { pageId: '1001', versionNumber: 1 });
await ask('getBlogPosts', v2, { bodyFormat: 'storage' });
await ask('getBlogPostById', v2, { id: '1010', bodyFormat: 'storage' });
await ask('getBlogPostsInSpace', v2, { id: space.id });
await ask('getBlogPostFooterComments', v2, { id: '1010' });
await ask('getFolderById', v2, { id: '1020' });
await ask('getFolderDirectChildren', v2, { id: '1020' });
await ask('getFolderAncestors', v2, { id: '1020' });
await ask('getWhiteboardById', v2, { id: '1021' });
await ask('getDatabaseById', v2, { id: '1022' });
await ask('getSmartLinkById', v2, { id: '1023' });
assert.equal((await ask('getTasks', v2, { bodyFormat: 'storage' })).results.length, 2);
await ask('createBulkUserLookup', v2, { body: { accountIds: ['acc-admin', 'acc-reader'] } });
const kinds = await ask('convertContentIdsToContentTypes', v2, { body: { contentIds: ['1001', '1010', '1100', '1102', '9'] } });
assert.deepEqual(Object.values(kinds.results).sort(), ['blogpost', 'footer-comment', 'inline-comment', 'page', null].sort());

const made = await ask('createPage', v2, {
  body: {
    spaceId: space.id, status: 'current', title: 'Made by a client', parentId: '1001',
    body: { representation: 'storage', value: '<p>One.</p>' },
  },
});
await ask('updatePage', v2, {
  id: made.id,
  body: {
    id: made.id, status: 'current', title: 'Made by a client', version: { number: 2, message: 'more' },
    body: { representation: 'storage', value: '<p>Two.</p>' },
  },
});
assert.equal((await ask('getPageById', v2, { id: made.id, bodyFormat: 'storage' })).body.storage.value, '<p>Two.</p>');
assert.equal((await ask('getPageById', v2, { id: made.id, version: 1, bodyFormat: 'storage' })).body.storage.value, '<p>One.</p>');
const property = await ask('createPageProperty', v2, { pageId: made.id, key: 'k', value: { a: 1 } });
await ask('getPageContentProperties', v2, { pageId: made.id });
await ask('updatePagePropertyById', v2, { pageId: made.id, propertyId: property.id, key: 'k', value: 2, version: { number: 2 } });
await ask('createFooterComment', v2, { pageId: made.id, body: { representation: 'storage', value: '<p>Hm.</p>' } });
await ask('createFolder', v2, { body: { spaceId: space.id, title: 'A folder' } });
await ask('deletePage', v2, { id: made.id });

await ask('searchContentByCQL', v1, { cql: 'type = page order by lastmodified', limit: 2, expand: ['metadata.labels', 'version', 'space', 'ancestors', 'restrictions.read.restrictions.user', 'restrictions.read.restrictions.group', 'body.storage', 'history.lastUpdated', 'children.comment'] });
await ask('searchContentByCQL', v1, { cql: 'type in (comment, attachment)', expand: ['container', 'extensions.inlineProperties', 'extensions.resolution', 'version'] });
await ask('searchByCQL', v1, { cql: 'space = OPS', expand: ['content.version'] });
await ask('searchUser', v1, { cql: 'type = user' });
await ask('getRestrictionsByOperation', v1, { id: '1001' });
await ask('getRestrictions', v1, { id: '1001' });
await ask('getRestrictionsForOperation', v1, { id: '1001', operationKey: 'read' });
await ask('getGroups', v1, {});
await ask('getGroupByGroupId', v1, { id: 'grp-staff' });
assert.equal((await ask('getGroupMembersByGroupId', v1, { groupId: 'grp-staff' })).results.length, 2);
await ask('getCurrentUser', v1, {});
await ask('getUser', v1, { accountId: 'acc-reader' });
await ask('getBulkUserLookup', v1, { accountId: ['acc-admin', 'acc-reader'] });
await ask('getGroupMembershipsForUser', v1, { accountId: 'acc-reader' });
await ask('getDescendantsOfType', v1, { id: '1000', type: 'page' });
await ask('addLabelsToContent', v1, { id: '1003', body: [{ prefix: 'global', name: 'words' }] });
await ask('getSystemInfo', v1, undefined);
await ask('createAttachment', v1, { id: '1003', attachments: [{ filename: 'made.txt', content: Buffer.from('bytes of a client') }] });

console.log(`confluence.js: ${asked} requests, ${faults.length} faults`);
faults.forEach(fault => console.log(fault));
process.exit(faults.length === 0 ? 0 : 1);
