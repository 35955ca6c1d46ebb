#!/usr/bin/env bash
# Has the official parsers judge the generated specifications: AsyncAPI's own parser, swagger-parser and Redocly for OpenAPI. Needs
# Node.js; the parsers are installed to bin/specs.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin/specs
packages=(@asyncapi/parser@3 @apidevtools/swagger-parser@12 @redocly/cli@2)
# Redocly wants a newer Node.js than some distributions have
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || major == 20 && minor >= 19 ? 0 : 1)' || packages+=(node@22)
(cd bin/specs && npm install --no-audit --no-fund --silent --prefix . "${packages[@]}")
export PATH=$PWD/bin/specs/node_modules/.bin:$PATH
cat > bin/specs/judge.js <<'JS'
const { readFileSync } = require('fs');
const { Parser } = require('@asyncapi/parser');
const OpenAPI = require('@apidevtools/swagger-parser');
(async () => {
  const { document, diagnostics } = await new Parser().parse(readFileSync('../../contracts/asyncapi.json', 'utf8'));
  diagnostics.forEach(d => console.error(`asyncapi.json ${d.path.join('/')}: ${d.message}`));
  console.log(`asyncapi.json: ${document ? 'valid' : 'INVALID'}, ${diagnostics.length} errors or warnings`);
  await OpenAPI.validate('../../api/openapi.json');
  console.log('openapi.json: valid');
  process.exit(document && diagnostics.length === 0 ? 0 : 1);
})().catch(err => { console.error(err.message); process.exit(1); });
JS
(cd bin/specs && node judge.js)
# /notifications/{id}/resend and /notifications/contacts/{id} are told apart by the word, which comes first in the router
redocly lint --skip-rule no-ambiguous-paths api/openapi.json 2>&1 | tee bin/specs/redocly.log
if grep -q 'You have .* warning' bin/specs/redocly.log; then exit 1; fi
