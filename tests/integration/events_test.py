"""Events instead of polling: a queue of moto's SQS (not ours) gets what EventBridge would send, and the service looks at once."""

import json

import boto3
import botocore.config
import pytest
from moto.server import ThreadedMotoServer

from tests.support.vidbatch import ACCOUNT, REGION, wait_until

pytestmark = pytest.mark.usefixtures("sqs")


@pytest.fixture(scope="module")
def sqs():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "sqs", endpoint_url=f"http://{host}:{port}", region_name=REGION, aws_access_key_id="AKIDMOTO", aws_secret_access_key="of-no-value",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    server.stop()


def event(arn, status, **more):
    """As AWS's guide shows it."""
    return json.dumps({
        "version": "0", "id": "a", "source": "aws.bedrock", "detail-type": "Batch Inference Job State Change", "account": ACCOUNT,
        "time": "Wed Aug 28 22:58:30 UTC 2024", "region": REGION, "resources": [arn],
        "detail": {"version": "0.0", "accountId": ACCOUNT, "batchJobArn": arn, "status": status, "failureMessage": ""}, **more})


def counter(service, name):
    lines = service.client().call("GET", "/metrics", 200, judge=False).text.splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith(name + " ") or line.startswith(name + "{"))


def left(sqs, url):
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
    return sum(int(n) for n in found["Attributes"].values())


def test_an_event_is_looked_at_at_once(stack, sqs):
    """The watch looks every hour: only an event can bring this job to its end in time."""
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    emulator = stack.emulator(job_seconds=0)
    service = stack.service(
        stack.database(), emulator, VIDBATCH_EVENTS_QUEUE_URL=url, AWS_ENDPOINT_URL_SQS=sqs.meta.endpoint_url,
        VIDBATCH_WATCH_INTERVAL="1h", VIDBATCH_WATCH_INTERVAL_MAX="1h", VIDBATCH_LOG_LEVEL="debug",
    )
    client = service.client()
    emulator.put_videos("v/", 100)
    job = client.launch(client.wait_scan(client.register("v/")["id"])["id"])

    def running():
        shards = client.pages(f"/v1/jobs/{job['id']}/shards")
        return shards and shards[0]["state"] == "running" and shards[0]["bedrock"]["arn"]

    arn = wait_until("the shard to run", running)
    wait_until("Bedrock to end", lambda: emulator.jobs()[0]["status"] == "Completed")
    foreign = arn[:-12] + "abcdefghi123"
    for body in ("no event", event(foreign, "Completed"), json.dumps({"source": "aws.s3"})):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    wait_until("foreign messages to go", lambda: counter(service, "vidbatch_event_messages_total") == 3 and left(sqs, url) == 0)
    assert client.get(f"/v1/jobs/{job['id']}")["state"] == "running"
    sqs.send_message(QueueUrl=url, MessageBody=event(arn, "Completed"))
    assert client.wait_job(job["id"])["outcome"] == "success"
    wait_until("the event to go", lambda: left(sqs, url) == 0)
    assert counter(service, 'vidbatch_event_messages_total{result="used"}') == 1
    assert service.stop() == 0


def test_without_the_queue_jobs_are_followed_all_the_same(stack, sqs):
    emulator = stack.emulator(job_seconds=0)
    service = stack.service(
        stack.database(), emulator, VIDBATCH_EVENTS_QUEUE_URL=sqs.meta.endpoint_url + "/123456789012/gone",
        AWS_ENDPOINT_URL_SQS=sqs.meta.endpoint_url,
    )
    client = service.client()
    emulator.put_videos("v/", 100)
    job = client.launch(client.wait_scan(client.register("v/")["id"])["id"])
    assert client.wait_job(job["id"])["outcome"] == "success"
    wait_until("a failure to be counted", lambda: counter(service, "vidbatch_event_failures_total") > 0)
    assert "QueueDoesNotExist" in service.log() and "hints.failed" in service.log()
    assert service.stop() == 0
