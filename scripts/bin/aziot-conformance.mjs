#!/usr/bin/env node
// The `aziot-conformance` command, run on the Node that the product brings.
import { runOnOwnNode } from './own-node.mjs';

await runOnOwnNode('conformance/runner/main.ts');
