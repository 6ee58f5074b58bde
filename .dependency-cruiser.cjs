/** The import rules of the house: three witnesses that do not know each other, and rooms entered by their door only. */
const room = '^(impl|simulators|conformance)/([^/]+)/';

module.exports = {
  forbidden: [
    { name: 'impl-stands-alone', severity: 'error', from: { path: '^impl/' }, to: { path: '^(simulators|conformance|test|bench)/' } },
    { name: 'simulators-stand-alone', severity: 'error', from: { path: '^simulators/' }, to: { path: '^(impl|conformance|test|bench)/' } },
    { name: 'conformance-stands-alone', severity: 'error', from: { path: '^conformance/' }, to: { path: '^(impl|simulators|test|bench)/' } },
    {
      name: 'rooms-by-their-door',
      comment: 'another room is entered through its index.ts',
      severity: 'error',
      from: { path: room },
      to: { path: room, pathNot: ['^$1/$2/', '^(impl|simulators|conformance)/[^/]+/index\\.ts$'] },
    },
    {
      name: 'doors-from-outside',
      severity: 'error',
      from: { path: '^(test|bench|scripts)/' },
      to: { path: room, pathNot: ['^(impl|simulators|conformance)/[^/]+/index\\.ts$'] },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-weak-crypto', severity: 'error', from: {}, to: { path: 'node_modules/(node-forge|jsrsasign)' } },
    { name: 'no-dev-dependencies-in-production', severity: 'error', from: { path: '^(impl|simulators|conformance)/', pathNot: '\\.test\\.ts$' }, to: { dependencyTypes: ['npm-dev'] } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|build|coverage)/' },
    parser: 'swc',
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
