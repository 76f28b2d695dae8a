"""Credentials as a container's agent gives them: others every few seconds."""

import datetime
import http.server
import json
import threading


class Agent:
    """What ECS and EKS run beside a container: credentials for whoever knows the token of the file. The first set claims an hour, all
    later ones three seconds."""

    def __init__(self, emulator, token_file):
        self.emulator, self.token_file, self.given = emulator, token_file, []
        self.tokens, self.lock = [], threading.Lock()
        self.renew()
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with agent.lock:
                    known = self.path == "/v1/credentials" and self.headers["Authorization"] in agent.tokens[-2:]
                    body = json.dumps(agent.give()).encode() if known else b"{}"
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/credentials"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def give(self):
        number, lives_s = len(self.given) + 1, 3 if self.given else 3600
        keys = {"access_key": f"ASIAROTATES{number:05d}", "secret_key": f"hidden-secret-{number}", "session_token": f"hidden-token-{number}"}
        self.emulator.control("POST", "sessions", {**keys, "lives_ms": lives_s * 1000 + 20_000})
        self.given.append(keys)
        self.renew()
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=lives_s)
        return {"AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"], "Token": keys["session_token"],
                "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "RoleArn": "arn"}

    def renew(self):
        """EKS renews the token in the file, as a whole; the one before is still good, for an answer may be lost."""
        self.tokens.append(f"agent-token-{len(self.given)}")
        made = self.token_file.with_suffix(".new")
        made.write_text(self.tokens[-1] + "\n")
        made.rename(self.token_file)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def settings(self):
        """Of the service."""
        return {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file)}
