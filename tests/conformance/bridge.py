"""Bedrock for a job whose files lie at a foreign S3 server. The stand-in for AWS reads and writes its own S3 only; so this stands in front of its
Bedrock, passes every request on as it is (signature included), and carries the files: before CreateModelInvocationJob all objects under the
job's input folder go from the foreign server to the stand-in, and when a job has ended its output goes back before anybody is told so."""

import http.client
import http.server
import json
import threading
import urllib.parse


def split_uri(uri):
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix


def copy_objects(source, target, uri):
    """All objects under the folder, with their types; how many there were."""
    bucket, prefix = split_uri(uri if uri.endswith("/") else uri + "/")
    count = 0
    for page in source.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            got = source.get_object(Bucket=bucket, Key=entry["Key"])
            target.put_object(Bucket=bucket, Key=entry["Key"], Body=got["Body"].read(), ContentType=got["ContentType"])
            count += 1
    return count


class Bridge:
    """emulator: tests.support.vidbatch.Emulator; own and foreign: boto3 clients of its S3 and of the other server. `url` is for
    AWS_ENDPOINT_URL_BEDROCK."""

    def __init__(self, emulator, own, foreign):
        self.emulator, self.own, self.foreign = emulator, own, foreign
        self.lock = threading.Lock()  # guards what follows
        self.carried_back = set()
        self.objects_in = self.objects_out = 0
        bridge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def pass_on(self):
                bridge.pass_on(self)

            do_GET = do_POST = pass_on

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def pass_on(self, rq):
        body = rq.rfile.read(int(rq.headers.get("Content-Length", 0)))
        with self.lock:
            if rq.command == "POST" and urllib.parse.urlsplit(rq.path).path == "/model-invocation-job":
                uri = json.loads(body)["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
                self.objects_in += copy_objects(self.foreign, self.own, uri)
            elif rq.command == "GET":
                self.carry_back()
        upstream = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=60)
        upstream.putrequest(rq.command, rq.path, skip_host=True, skip_accept_encoding=True)
        for name, value in rq.headers.items():  # Host too: it is signed
            upstream.putheader(name, value)
        upstream.endheaders(body or None)
        answer = upstream.getresponse()
        content = answer.read()
        rq.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                rq.send_header(name, value)
        rq.send_header("Content-Length", str(len(content)))
        rq.end_headers()
        rq.wfile.write(content)
        upstream.close()

    def carry_back(self):
        for job in self.emulator.jobs():
            if job["ended_at"] and job["arn"] not in self.carried_back:
                output = job["output"].rstrip("/") + "/" + job["arn"].rpartition("/")[2]
                self.objects_out += copy_objects(self.own, self.foreign, output)
                self.carried_back.add(job["arn"])
