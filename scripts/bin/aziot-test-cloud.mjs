#!/usr/bin/env node
// The `aziot-test-cloud` command: the simulators as one process with a control API, run on the Node that the product brings.
import { runOnOwnNode } from './own-node.mjs';

await runOnOwnNode('simulators/cloud/main.ts');
