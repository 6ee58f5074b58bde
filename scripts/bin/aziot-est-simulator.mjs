#!/usr/bin/env node
// The `aziot-est-simulator` command, run on the Node that the product brings.
import { runOnOwnNode } from './own-node.mjs';

await runOnOwnNode('simulators/est/main.ts');
