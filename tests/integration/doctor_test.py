"""The doctor: what it finds when all is well, when one thing is missing, and what it says to do; by HTTP and on the command line."""

import concurrent.futures
import json
import subprocess

import boto3
import pytest

from tests.emulator.harness import job, record
from tests.support.vidbatch import ACCESS_KEY, BUILD, REGION, ROLE, SECRET_KEY, clip, wait_until

BUCKET, PREFIX = "arn:aws:s3:::videos", "doctor/in/"
ALL = {
    "settings", "region", "credentials", "identity", "model", "bedrock.jobs", "role", "role.trust", "role.access", "role.pass", "staging.region",
    "staging.list", "staging.uploads", "staging.write", "staging.read", "staging.delete", "output.region", "output.list", "output.read",
    "output.delete", "prefix.region", "prefix.list", "prefix.read", "clock",
}  # fmt: skip


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()
    emulator.control("POST", "clock", {"offset_ms": 0})
    emulator.control("POST", "iam", {})


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.s3().put_object(Bucket="videos", Key=PREFIX + "a.mp4", Body=clip())
    return client.wait_scan(client.register(PREFIX)["id"])


def check(client, prefix):
    report = client.post(f"/v1/prefixes/{prefix['id']}/check", want=200).json()
    assert report["prefix_id"] == prefix["id"] and report["result"] in ("ok", "problem")
    checks = {c["name"]: c for c in report["checks"]}
    assert len(checks) == len(report["checks"]), "each check once"
    assert report["result"] == ("problem" if any(c["state"] == "problem" for c in report["checks"]) else "ok")
    for one in report["checks"]:
        assert one["sentence"] and (one["state"] == "ok" or one["remedy"]), one
    return checks


def problems(checks):
    return {name for name, one in checks.items() if one["state"] == "problem"}


def left_over(emulator):
    return [o["Key"] for o in emulator.s3().list_objects_v2(Bucket="videos").get("Contents", []) if "vidbatch-doctor" in o["Key"]]


def cli(service, *arguments, **settings):
    return subprocess.run(
        [BUILD / "bin/vidbatchd", *arguments], env={**service.env, **settings}, capture_output=True, text=True, timeout=60
    )


def test_all_is_well(client, emulator, prefix):
    checks = check(client, prefix)
    assert set(checks) == ALL and not problems(checks), checks
    unknown = {name for name, one in checks.items() if one["state"] == "cannot_know"}
    assert unknown == {"role.trust", "role.access", "role.pass"}, unknown
    assert "arn:aws:iam::111122223333:user/emulated" in checks["identity"]["sentence"]
    assert checks["role.pass"]["statement"]["Action"] == "iam:PassRole" and checks["role.pass"]["statement"]["Resource"] == ROLE
    assert "videos by their names: 1" in checks["prefix.list"]["sentence"] and "a.mp4" in checks["prefix.read"]["sentence"]
    assert left_over(emulator) == []
    touched = {r["key"] for r in emulator.requests() if r["op"] in ("S3.PutObject", "S3.DeleteObject") and "doctor-" in r.get("key", "")}
    assert len(touched) == 2 and all(key.startswith(("staging/vidbatch-doctor-", "output/vidbatch-doctor-")) for key in touched)


DENIED = {"status": 403, "code": "AccessDenied", "message": "Access Denied"}
PERMISSIONS = [
    ({"op": "Bedrock.ListModelInvocationJobs"}, "bedrock.jobs", "bedrock:ListModelInvocationJobs", "*"),
    ({"op": "S3.ListMultipartUploads"}, "staging.uploads", "s3:ListBucketMultipartUploads", BUCKET),
    ({"op": "S3.PutObject", "key": "staging/"}, "staging.write", "s3:PutObject", BUCKET + "/staging/*"),
    ({"op": "S3.HeadObject", "key": "staging/"}, "staging.read", "s3:GetObject", BUCKET + "/staging/*"),
    ({"op": "S3.GetObject", "key": "staging/"}, "staging.read", "s3:GetObject", BUCKET + "/staging/*"),
    ({"op": "S3.DeleteObject", "key": "staging/"}, "staging.delete", "s3:DeleteObject", BUCKET + "/staging/*"),
    ({"op": "S3.GetObject", "key": "output/"}, "output.read", "s3:GetObject", BUCKET + "/output/*"),
    ({"op": "S3.DeleteObject", "key": "output/"}, "output.delete", "s3:DeleteObject", BUCKET + "/output/*"),
    ({"op": "S3.HeadObject", "key": PREFIX}, "prefix.read", "s3:GetObject", f"{BUCKET}/{PREFIX}*"),
    ({"op": "S3.GetObject", "key": PREFIX}, "prefix.read", "s3:GetObject", f"{BUCKET}/{PREFIX}*"),
]


@pytest.mark.parametrize("where, name, action, resource", PERMISSIONS, ids=[f"{p[1]}-{p[0]['op']}" for p in PERMISSIONS])
def test_one_permission_is_missing(client, emulator, prefix, where, name, action, resource):
    emulator.fault(**where, action=DENIED)
    checks = check(client, prefix)
    assert problems(checks) == {name}, problems(checks)
    found = checks[name]
    assert found["action"] == action and action in found["sentence"] and action in found["remedy"]
    assert found["statement"] == {"Effect": "Allow", "Action": action, "Resource": resource}
    emulator.clear_faults()
    for key in left_over(emulator):
        emulator.s3().delete_object(Bucket="videos", Key=key)
        assert name.endswith(".delete"), "only what may not be deleted stays, and is named"
        assert key in found["sentence"]


def test_list_bucket_is_missing(client, emulator, prefix):
    emulator.fault(op="S3.ListObjectsV2", action=DENIED)
    checks = check(client, prefix)
    assert problems(checks) == {"prefix.list", "staging.list", "output.list"}
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET}
    assert all(checks[name]["statement"] == statement for name in problems(checks))
    error = client.wait_scan(client.register("doctor/denied/")["id"])["scan"]["error"]  # the same words where the work itself meets it
    assert "the permission s3:ListBucket is missing. Allow the service's identity s3:ListBucket" in error["message"], error


def test_writing_output_is_the_roles_business(client, emulator, prefix):
    emulator.fault(op="S3.PutObject", key="output/vidbatch-doctor-", action=DENIED)
    checks = check(client, prefix)
    assert not problems(checks) and checks["output.read"]["state"] == "cannot_know" and "output.delete" not in checks
    emulator.s3().put_object(Bucket="videos", Key="output/old.txt", Body=b"x")
    checks = check(client, prefix)
    assert checks["output.read"]["state"] == "ok" and "old.txt" in checks["output.read"]["sentence"]
    emulator.s3().delete_object(Bucket="videos", Key="output/old.txt")


def test_a_key_of_kms_is_named_by_aws(client, emulator, prefix):
    words = "User: x is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
    emulator.fault(op="S3.GetObject", key=PREFIX, action={**DENIED, "message": words})
    found = check(client, prefix)["prefix.read"]
    assert (found["state"], found["action"], found["statement"]) == ("problem", "kms:Decrypt", None)


@pytest.mark.parametrize(
    "code, status, says",
    [("ExpiredToken", 400, "have expired"), ("SignatureDoesNotMatch", 403, "secret access key"), ("InvalidClientTokenId", 403, "key id")],
)
def test_credentials_that_nobody_takes(client, emulator, prefix, code, status, says):
    """One finding, and not one for each call that would meet it too."""
    emulator.fault(op="*", action={"status": status, "code": code})
    checks = check(client, prefix)
    assert problems(checks) == {"identity"} and says in checks["identity"]["sentence"], checks["identity"]
    assert checks["prefix.list"]["state"] == "cannot_know" and "`identity`" in checks["prefix.list"]["sentence"]


def test_the_clock_is_wrong(client, emulator, prefix):
    """The service cures what it signs; that its clock is wrong is said all the same."""
    emulator.control("POST", "clock", {"offset_ms": 20 * 60 * 1000})
    checks = check(client, prefix)
    assert problems(checks) == {"clock"} and "20 minutes behind" in checks["clock"]["sentence"], checks["clock"]
    emulator.control("POST", "clock", {"offset_ms": 0})
    assert not problems(check(client, prefix))


def test_busy_aws_is_no_finding(client, emulator, prefix):
    emulator.fault(op="S3.ListMultipartUploads", action={"status": 500, "code": "InternalError"})
    found = check(client, prefix)["staging.uploads"]
    assert found["state"] == "cannot_know" and "InternalError" in found["sentence"]


def test_sts_out_of_reach_is_no_problem(client, emulator, prefix):
    emulator.fault(op="STS.GetCallerIdentity", action={"status": 500})
    checks = check(client, prefix)
    assert not problems(checks) and checks["identity"]["state"] == "cannot_know"


def test_one_check_at_a_time(client, emulator, prefix):
    """Each holds up a handler's thread while it waits for AWS; the others go on."""
    emulator.fault(op="STS.GetCallerIdentity", action={"delay_ms": 1000})
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: client.post(f"/v1/prefixes/{prefix['id']}/check"), range(3)))
    assert sorted(a.status_code for a in answers) == [200, 503, 503], [a.text for a in answers]
    assert [a.json()["code"] for a in answers if a.status_code == 503] == ["check_running"] * 2


def trust(account="111122223333", region=REGION):
    conditions = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:{region}:{account}:model-invocation-job/*"},
    }
    statement = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole", "Condition": conditions}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    "iam, trusts, passes, says",
    [
        ({"trust": trust(), "decision": "allowed"}, "ok", "ok", "in us-east-1"),
        ({"trust": trust("444455556666"), "decision": "implicitDeny"}, "problem", "problem", "wants 444455556666"),
        ({"trust": trust(region="us-west-2"), "decision": "explicitDeny"}, "problem", "problem", "us-west-2"),
        ({"trust": "{", "decision": "allowed", "missing": "aws:x"}, "cannot_know", "cannot_know", "cannot be read"),
        ({"trust": trust(), "role_arn": ROLE.replace("role/", "role/path/")}, "problem", "cannot_know", "role/path/"),
        ({"trust": trust(), "role_arn": ROLE + "x"}, "problem", "cannot_know", "no role of this name"),
        ({}, "cannot_know", "cannot_know", "iam:GetRole is missing, and optional"),
    ],
)
def test_iam_tells_of_the_role(client, emulator, prefix, iam, trusts, passes, says):
    emulator.control("POST", "iam", {"role_arn": ROLE, **iam} if iam else {})
    checks = check(client, prefix)
    assert (checks["role.trust"]["state"], checks["role.pass"]["state"]) == (trusts, passes), checks
    assert says in checks["role.trust"]["sentence"], checks["role.trust"]
    assert (checks["role.pass"]["action"] == "iam:PassRole") == (passes == "problem")
    assert (checks["role.pass"]["statement"] is None) == (iam.get("decision") in ("allowed", "explicitDeny") and not iam.get("missing"))


def test_iam_out_of_reach_is_no_problem(client, emulator, prefix):
    emulator.fault(op="IAM.*", action={"reset": True})
    checks = check(client, prefix)
    assert not problems(checks) and "cannot be reached" in checks["role.trust"]["sentence"], checks["role.trust"]


def test_no_such_bucket_and_no_such_prefix(client, emulator):
    missing = client.register("", bucket="nowhere")
    client.wait_scan(missing["id"])
    checks = check(client, missing)
    assert problems(checks) == {"prefix.list"} and "no such bucket" in checks["prefix.list"]["sentence"]
    client.call("POST", "/v1/prefixes/pfx_00000000000/check", 404)


def test_bucket_in_another_region(client, emulator):
    emulator.control("POST", "buckets", {"name": "elsewhere", "region": "eu-west-1"})
    far = client.register("in/", bucket="elsewhere")
    client.wait_scan(far["id"])
    found = check(client, far)["prefix.region"]
    assert found["state"] == "problem" and "eu-west-1" in found["sentence"] and "us-east-1" in found["remedy"], found


def test_command_line(service, emulator, prefix):
    by_itself = cli(service, "doctor")
    assert "ok          prefixes " in by_itself.stdout and f"s3://videos/{PREFIX}a.mp4 can be read." in by_itself.stdout
    well = cli(service, "doctor", f"s3://videos/{PREFIX}")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "ok          database         It answers; its schema is version" in well.stdout
    assert f"s3://videos/{PREFIX}a.mp4 can be read." in well.stdout and "can't know  role.trust" in well.stdout
    emulator.fault(op="S3.PutObject", key="staging/", action=DENIED)
    ill = cli(service, "doctor", "--json", f"s3://videos/{PREFIX}")
    emulator.clear_faults()
    report = json.loads(ill.stdout)
    assert ill.returncode == 1 and report["result"] == "problem"
    assert [c["name"] for c in report["checks"] if c["state"] == "problem"] == ["staging.write"]
    secret = service.env["AWS_SECRET_ACCESS_KEY"]
    assert secret not in well.stdout + well.stderr + ill.stdout + ill.stderr


@pytest.mark.parametrize(
    "settings, line, remedy",
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "problem     identity", "Set the secret that was made together with this key id"),
        ({"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN"}, "problem     identity", "Look which key is used"),
        ({"VIDBATCH_ROLE_ARN": "role/batch"}, "problem     settings         VIDBATCH_ROLE_ARN=role/batch", "Correct it"),
        ({"VIDBATCH_ROLE_ARN": "arn:aws-cn:iam::111122223333:role/r"}, "problem     role ", "arn:aws:iam::111122223333:role/name"),
        ({"VIDBATCH_ROLE_ARN": ""}, "problem     role ", "vidbatchd iam-policy trust"),
        ({"VIDBATCH_MODEL_ID": "amazon.nova-2-lite-v1:0"}, "problem     model", "us.amazon.nova-2-lite-v1:0"),
        ({"VIDBATCH_STAGING_URI": ""}, "problem     settings", "vidbatchd --help"),
        ({"VIDBATCH_DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "problem     database", "VIDBATCH_DATABASE_URL"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "problem     staging.list", "Look at the network"),
        ({"AWS_PROFILE": "absent", "AWS_ACCESS_KEY_ID": ""}, "problem     ", ""),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_command_line_names_what_is_wrong(service, prefix, settings, line, remedy):
    told = cli(service, "doctor", f"s3://videos/{PREFIX}", **settings)
    assert told.returncode == 1 and line in told.stdout and remedy in told.stdout, told.stdout + told.stderr


def test_policies(service, prefix):
    told = cli(service, "iam-policy")
    assert told.returncode == 0 and told.stderr == "" and told.stdout.count("# ") == 3, told.stderr
    caller = json.loads(cli(service, "iam-policy", "caller", "--model", "us.amazon.nova-lite-v1:0").stdout)
    statements = {s["Sid"]: s for s in caller["Statement"]}
    assert f"{BUCKET}/{PREFIX}*" in statements["ReadVideos"]["Resource"]
    assert "inference-profile/us.amazon.nova-lite-v1:0" in statements["StartJobs"]["Resource"][0]
    assert "arn:aws:bedrock:us-east-2::foundation-model/amazon.nova-lite-v1:0" in statements["InvokeOnDemand"]["Resource"]
    gov = cli(
        service, "iam-policy", "role", "--bucket", "clips/in/", "--region", "us-gov-west-1", "--role",
        "arn:aws-us-gov:iam::444455556666:role/r", VIDBATCH_DATABASE_URL="",
    )  # fmt: skip
    assert "arn:aws-us-gov:s3:::clips/in/*" in gov.stdout and "444455556666" in gov.stdout and "arn:aws:" not in gov.stdout
    trust = json.loads(cli(service, "iam-policy", "trust", VIDBATCH_ROLE_ARN="").stdout)  # the account is the caller's, by STS
    assert trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] == "111122223333"
    queue = cli(service, "iam-policy", "caller", VIDBATCH_EVENTS_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/111122223333/events")
    statements = {s["Sid"]: s for s in json.loads(queue.stdout)["Statement"]}
    assert statements["ReadEvents"]["Resource"] == "arn:aws:sqs:us-east-1:111122223333:events"
    for wrong in (["--bucket"], ["--bucket", "Not_A_Bucket"], ["--account", "12"], ["nobody"], ["role", "trust"], ["--odd", "x"]):
        refused = cli(service, "iam-policy", *wrong)
        assert refused.returncode == 2 and "usage" in refused.stderr, wrong


def test_what_earlier_jobs_tell_of_the_role(client, emulator, prefix):
    """Last: the jobs stay. Where IAM may not be asked, what became of a job shows trust and PassRole."""
    bedrock = boto3.client(
        "bedrock", endpoint_url=emulator.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
    )
    emulator.fault(job={"name_contains": "refused", "terminal": "Failed", "message": "Could not assume provided IAM role"})
    emulator.fault(job={"name_contains": "denied", "terminal": "Failed", "message": "Customer doesn't have permissions to invokeModel"})
    lines = [json.dumps(record(n, f"s3://videos/{PREFIX}a.mp4")) for n in range(100)]
    emulator.s3().put_object(Bucket="videos", Key=PREFIX + "input.jsonl", Body="\n".join(lines).encode())

    def run(name):
        what = job(name, f"s3://videos/{PREFIX}", "s3://videos/output/")
        arn = bedrock.create_model_invocation_job(**{**what, "roleArn": ROLE})["jobArn"]
        wait_until("the job to end", lambda: bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] in ("Completed", "Failed"))

    run("refused-of-another-program")
    checks = check(client, prefix)
    assert problems(checks) == {"role.trust", "role.access"} and checks["role.pass"]["state"] == "cannot_know"
    assert "refused-of-another-program" in checks["role.trust"]["sentence"] and "iam-policy trust" in checks["role.trust"]["remedy"]
    run("denied-of-another-program")
    checks = check(client, prefix)
    assert problems(checks) == {"role.access"} and "permissions to invokeModel" in checks["role.access"]["sentence"]
    assert "bedrock:InvokeModel" in checks["role.access"]["remedy"]
    run("vidbatch-worked")
    checks = check(client, prefix)
    assert not problems(checks)
    assert all("vidbatch-worked" in checks[name]["sentence"] for name in ("role.trust", "role.access", "role.pass"))
