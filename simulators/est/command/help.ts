/** The text of `aziot-est-simulator --help`. */
export const HELP = `aziot-est-simulator: an EST server (RFC 7030, RFC 8951) for tests, with a control API

  npm run est-simulator -- [options]      or, where it is installed:  aziot-est-simulator [options]

It is no production server: every certificate says TEST. It stays up until Ctrl-C.

  --port PORT             EST over TLS (default 8443; 0: any free one)
  --control-port PORT     control API, HTTP on 127.0.0.1 (default 8444; 0: any free one)
  --host ADDRESS          where EST listens (default 127.0.0.1)
  --name HOST             a name or address in the server's certificate, as often as needed (default localhost and 127.0.0.1)
  --data-dir DIR          keep the test PKI in DIR, for the next start to find (default: a temporary folder)
  --config FILE           a profile, labels and quirks as JSON (docs/est-simulator.md); options beside it win

Who may enrol (default: user "device" with password "secret", or a client certificate of the bootstrap or issuing authority)
  --user NAME:PASSWORD    by HTTP basic, as often as needed
  --digest-user NAME:PASSWORD   by HTTP digest
  --client-ca FILE        client certificates of this authority, PEM, as often as needed
  --require WHAT          either (default), both, or none: nobody is asked

What is issued
  --lifetime SECONDS      life of certificates (default 2592000, 30 days)
  --not-before SECONDS    their begin from now, negative for the past (default 0)
  --manual-approval       202 until POST /approve
  --possession RULE       challengePassword as channel binding: off (default), checked, required
  --quirk NAME[=VALUE]    a quirk, as often as needed: --quirk created --quirk body=pem

  --json                  one JSON object on standard output in place of the text
  -h, --help              this text

Exit: 0 after Ctrl-C or SIGTERM, 1 where it could not start, 2 for a wrong command line.
`;
