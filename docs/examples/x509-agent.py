#!/usr/bin/env python3
"""Sends one message to the hub as the device of an X.509 provisioning: x509-agent.py RUN_DIR CA_FILE.

Needs Python 3, curl and, in the folder that OPENSSL_ENGINES names, aziot_keys.so. Python's ssl module takes private keys from files only,
so curl makes the TLS connection; the device's private key stays in keyd, which signs the handshake.
"""
import http.client, json, os, socket, subprocess, sys, tempfile
from urllib.parse import quote

run, ca = sys.argv[1:3]


def ask(daemon, path):
    """What a daemon answers to a GET on its Unix socket."""
    connection = http.client.HTTPConnection(f"{daemon}.sock")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(f"{run}/{daemon}.sock")
    connection.request("GET", f"{path}?api-version=2020-09-01")
    answer = connection.getresponse()
    value = json.loads(answer.read())
    if answer.status != 200:
        sys.exit(f"{daemon} answered {answer.status}: {value['message']}")
    return value


spec = ask("identityd", "/identities/identity")["spec"]
auth = spec["auth"]
if auth["type"] != "x509":
    sys.exit(f"the device is provisioned by {auth['type']}, not by X.509")

with tempfile.NamedTemporaryFile("w", suffix=".pem") as certificate:
    certificate.write(ask("certd", f"/certificates/{quote(auth['certId'], safe='')}")["pem"])
    certificate.flush()
    url = f"https://{spec['gatewayHost']}/devices/{spec['deviceId']}/messages/events?api-version=2020-03-13"
    command = ["curl", "--silent", "--show-error", "--config", "-", "--engine", "aziot_keys", "--key-type", "ENG"]
    command += ["--cert", certificate.name, "--cacert", ca, "--write-out", "%{http_code}\n", "--output", os.devnull]
    command += ["--header", "content-type: application/json", "--data", '{"temperature": 21}', url]
    # the handle goes in by standard input: whoever lists the processes sees their arguments
    key = f"key = \"{auth['keyHandle']}\"\n"
    environment = {**os.environ, "AZIOT_KEYD_SOCKET": f"{run}/keyd.sock"}
    sys.exit(subprocess.run(command, input=key, text=True, env=environment).returncode)
