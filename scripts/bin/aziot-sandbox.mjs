#!/usr/bin/env node
// The `aziot-sandbox` command: the offline world, run on the Node that the product brings.
import { runOnOwnNode } from './own-node.mjs';

await runOnOwnNode('simulators/sandbox/main.ts');
