#!/usr/bin/env python3
"""Sends one message to the hub as the module of the calling user: agent.py RUN_DIR CA_FILE. Needs Python 3 alone."""
import base64, http.client, json, socket, ssl, sys, time
from urllib.parse import quote

run, ca = sys.argv[1:3]


def ask(daemon, method, path, body=None):
    """A request to a daemon's Unix socket; the JSON of its answer."""
    connection = http.client.HTTPConnection(f"{daemon}.sock")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(f"{run}/{daemon}.sock")
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {} if text is None else {"content-type": "application/json"})
    answer = connection.getresponse()
    value = json.loads(answer.read())
    if answer.status != 200:
        sys.exit(f"{daemon} answered {answer.status}: {value['message']}")
    return value


spec = ask("identityd", "GET", "/identities/identity?api-version=2020-09-01")["spec"]
resource = quote(f"{spec['hubName']}/devices/{spec['deviceId']}/modules/{spec['moduleId']}", safe="")
expiry = int(time.time()) + 3600
message = base64.b64encode(f"{resource}\n{expiry}".encode()).decode()
wish = {"keyHandle": spec["auth"]["keyHandle"], "algorithm": "HMAC-SHA256", "parameters": {"message": message}}
signature = quote(ask("keyd", "POST", "/sign?api-version=2020-09-01", wish)["signature"], safe="")
token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}"

hub = http.client.HTTPSConnection(spec["gatewayHost"], context=ssl.create_default_context(cafile=ca))
path = f"/devices/{spec['deviceId']}/modules/{spec['moduleId']}/messages/events?api-version=2020-03-13"
hub.request("POST", path, '{"temperature": 21}', {"authorization": token, "content-type": "application/json"})
print(hub.getresponse().status)
