// Reads what the conformance suite wrote down and prints it as a table. Part of scripts/conformance.
//
//   conformance_table.mjs REQUIREMENTS_FOLDER RESULTS_FOLDER REVISION=SCORED... HELD_SCENARIO...
//
// REQUIREMENTS_FOLDER is the suite's own, with a YAML file for each revision: which scenarios are scored and which are
// only reported. RESULTS_FOLDER/REVISION holds a folder with checks.json for each scenario that was run. Exits 1 if a
// scored or a held scenario did not pass, or if the suite scores another number of scenarios than SCORED.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const [requirements, results, ...rest] = process.argv.slice(2);
const revisions = rest.filter((word) => word.includes('=')).map((word) => word.split('='));
const held = new Set(rest.filter((word) => !word.includes('=')));

/** What became of a scenario: its verdict, how many checks say so, and the first complaint. */
function judged(revision, scenario) {
  const folder = join(results, revision);
  const name = new RegExp(`^server-${scenario}-\\d{4}-\\d\\d-\\d\\dT`);
  const runs = existsSync(folder) ? readdirSync(folder).filter((entry) => name.test(entry)) : [];
  if (runs.length !== 1) return { passed: false, told: runs.length === 0 ? 'no result' : `${runs.length} results` };
  const checks = JSON.parse(readFileSync(join(folder, runs[0], 'checks.json'), 'utf8'));
  const of = (status) => checks.filter((check) => check.status === status);
  const failed = of('FAILURE');
  const warnings = of('WARNING').length;
  const skipped = of('SKIPPED').length;
  const told = [
    `${of('SUCCESS').length} of ${of('SUCCESS').length + failed.length} checks`,
    ...(warnings ? [`${warnings} warning${warnings > 1 ? 's' : ''}`] : []),
    ...(skipped ? [`${skipped} skipped`] : []),
    ...failed.slice(0, 3).map((check) => `${check.id}: ${check.errorMessage ?? check.description ?? ''}`.replace(/\s+/g, ' ').slice(0, 160)),
  ].join('; ');
  return { passed: failed.length === 0 && checks.length > 0, told };
}

let bad = 0;
const totals = [];
for (const [revision, expected] of revisions) {
  const set = parse(readFileSync(join(requirements, `${revision}.yaml`), 'utf8'));
  const scored = set.server.map((scenario) => ({ scenario, kind: 'scored' }));
  const reported = set.not_scored
    .filter(({ leg }) => leg === 'server')
    .map(({ scenario }) => ({ scenario, kind: held.has(scenario) ? 'held' : 'reported' }));
  console.log(`\n${revision}`);
  const count = { scored: [0, 0], held: [0, 0], reported: [0, 0] };
  for (const { scenario, kind } of [...scored, ...reported]) {
    const { passed, told } = judged(revision, scenario);
    count[kind][0] += passed;
    count[kind][1] += 1;
    if (!passed && kind !== 'reported') bad += 1;
    console.log(`  ${passed ? 'pass' : 'FAIL'}  ${kind.padEnd(8)}  ${scenario.padEnd(46)}  ${told}`);
  }
  if (scored.length !== Number(expected)) {
    bad += 1;
    console.log(`  FAIL  the suite scores ${scored.length} scenarios, not ${expected}`);
  }
  totals.push([revision, ...['scored', 'held', 'reported'].map((kind) => count[kind].join('/'))]);
}
for (const scenario of held) {
  const known = revisions.some(([revision]) => {
    const set = parse(readFileSync(join(requirements, `${revision}.yaml`), 'utf8'));
    return set.not_scored.some((entry) => entry.scenario === scenario);
  });
  if (!known) {
    bad += 1;
    console.log(`FAIL  no revision reports ${scenario}`);
  }
}
console.log(`\n${'passed/run'.padEnd(12)}${['scored', 'held', 'reported'].map((head) => head.padStart(10)).join('')}`);
for (const [revision, ...cells] of totals) console.log(`${revision.padEnd(12)}${cells.map((cell) => cell.padStart(10)).join('')}`);
process.exit(bad ? 1 : 0);
