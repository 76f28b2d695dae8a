"""Signatures request by request against botocore, AWS's own: generated requests of S3, Bedrock and STS, in header form and presigned, are
signed by aws/sigv4.c and by botocore with the same clock, and must come out the same, byte for byte. What fails names its number: the seed
makes the same requests again."""

import datetime
import json
import random
import subprocess

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.utils
import pytest

from tests.support.vidbatch import BUILD

SEED = 20261101
SIZES = {"s3": 5000, "s3 presigned": 3500, "bedrock": 2500, "sts": 1000}  # 12,000 in all
SAFE = "-._~"
ODD = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
FOREIGN = "äößéñçøłİıŁжЯ中文日本語한국어😀🎬\u0301\u200d\u202e\u00a0\u2028\ufeff\ufffd"
CONTROLS = "".join(chr(n) for n in range(1, 32)) + "\x7f"
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FIXED_PIECES = ["..", ".", "//", "/./", "/../", "%2F", "%", "%zz", "+", "~", "a b", "=", "&", "?x=y", "#f", "//a//", "*", "'", "\\", "%25"]
REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-3", "us-gov-west-1", "cn-north-1", "default"]
PARAMS = ["list-type", "prefix", "start-after", "continuation-token", "delimiter", "uploads", "uploadId", "partNumber", "max-keys", "delete",
          "response-content-disposition", "x-id", "encoding-type", "fetch-owner", "statusEquals", "nextToken", "nameContains", "a", "A", "a-b", "a.b"]
HEADERS = ["content-type", "range", "if-match", "if-none-match", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-meta-name", "x-amz-meta-name-b",
           "X-Amz-Expected-Bucket-Owner", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm", "Content-Encoding", "accept", "x-amz-acl"]


class Maker:
    """Requests as the seed wants them."""

    def __init__(self, name):
        self.name = name
        self.random = random.Random(f"{SEED} {name}")

    def text(self, alphabet, least, most):
        return "".join(self.random.choices(alphabet, k=self.random.randint(least, most)))

    def odd_text(self, most):
        kind = self.random.randrange(6)
        if kind == 0:
            return self.text(PLAIN, 0, most)
        if kind == 1:
            return "".join(self.random.choices(FIXED_PIECES, k=self.random.randint(1, 4)))
        if kind == 2:
            return self.text(PLAIN + FOREIGN, 0, most)
        if kind == 3:
            return self.text(PLAIN + ODD + CONTROLS, 0, most)
        return self.text(PLAIN + ODD + FOREIGN, 0, most)

    def header_value(self):
        # No control characters (the client refuses them), blanks of all kinds that it sends; no other blanks than those of ASCII.
        inside = self.text(PLAIN + ODD + "äé中" + "  \t", 0, 40)
        return self.random.choice(["", " ", "\t "]) + inside + self.random.choice(["", "  "])

    def params(self, unique):
        count = self.random.choice([0, 0, 1, 2, 3, 5, 9])
        names = [self.random.choice(PARAMS) if self.random.random() < 0.8 else self.odd_text(8) or "n" for _ in range(count)]
        if unique:
            names = list(dict.fromkeys(names))
        return [[name, "" if self.random.random() < 0.2 else self.odd_text(30)] for name in names]

    def host(self, bucket):
        host = self.random.choice([f"{bucket}.s3.us-east-1.amazonaws.com", "s3.eu-central-1.amazonaws.com", "127.0.0.1:7480", "localhost:9000", "[::1]:9000",
                                   "minio.example.com", "bedrock.us-gov-west-1.amazonaws.com", "xn--bcher-kva.example:8443"])
        return self.random.choice(["http", "https"]), host

    def request(self):
        scheme, host = self.host(self.text("abcdefghijk0123456789-", 3, 20).strip("-") + "b")
        is_s3, is_query = self.name.startswith("s3"), self.name == "s3 presigned"
        made = {
            "service": self.name.split()[0], "region": self.random.choice(REGIONS), "now_s": self.random.randrange(0, 4_102_444_800), "scheme": scheme,
            "key_id": self.random.choice(["AKID", "ASIA"]) + self.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 4, 28), "secret": self.text(PLAIN + "/+", 1, 60),
            "token": self.text(PLAIN + "/+=", 100, 900) if self.random.random() < 0.5 else "",
            "params": self.params(unique=is_query), "headers": [["host", host]], "body": "" if is_query else self.odd_text(200), "is_unsigned": is_query,
        }
        if is_s3:
            made["method"] = self.random.choice(["GET", "PUT"] if is_query else ["GET", "PUT", "HEAD", "POST", "DELETE"])
            made["path"] = [self.random.choice(["", "bucket/", "a.b-c/"]) + self.odd_text(60)]
        elif self.name == "sts":
            made["method"], made["path"] = "POST", [""]
            made["body"] = "Action=GetCallerIdentity&Version=2011-06-15"
        else:
            made["method"] = self.random.choice(["GET", "POST"])
            arn = f"arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/{self.text(PLAIN, 12, 12)}"
            made["path"] = ["model-invocation-job", self.random.choice([arn, self.odd_text(20)])] + self.random.choice([[], ["stop"], ["", ""], ["..", "x"]])
        names = self.random.sample(HEADERS, self.random.randint(0, 5))
        if is_query:  # what of a header's value is not sent as it is signed a browser could not send
            made["expires_s"] = self.random.choice([1, 60, 3600, 604800, self.random.randint(1, 604800)])
            names = [name for name in names if name.lower() == "content-type"]
        made["headers"] += [[name, self.header_value()] for name in names]
        if not is_query and names and self.random.random() < 0.2:
            made["headers"].append([self.random.choice(names), self.header_value()])  # the same header twice
        if is_s3 and not is_query and scheme == "https" and self.random.random() < 0.3:
            made["is_unsigned"] = True
            made["headers"].append(["Content-MD5", "XrY7u+Ae7tCTyyK7j1rNww=="])
        return made


def botocore_signs(made, monkeypatch_clock):
    """What botocore makes of the request: (wire path, Authorization or query, canonical request)."""
    is_query = "expires_s" in made
    encoded = [botocore.utils.percent_encode(part, safe=SAFE + ("/" if made["service"] == "s3" else "")) for part in made["path"]]
    path = "/" + "/".join(encoded)
    host = made["headers"][0][1]
    request = botocore.awsrequest.AWSRequest(method=made["method"], url=f"{made['scheme']}://{host}{path}", data=made["body"].encode())
    request.params = dict(made["params"]) if is_query else [tuple(pair) for pair in made["params"]]
    for name, value in made["headers"][1:]:
        request.headers[name] = value
    if made["is_unsigned"]:
        request.context["has_streaming_input"] = True
    monkeypatch_clock(made["now_s"])
    credentials = botocore.credentials.Credentials(made["key_id"], made["secret"], made["token"] or None)
    if is_query:
        signer = botocore.auth.S3SigV4QueryAuth(credentials, "s3", made["region"], expires=made["expires_s"])
    elif made["service"] == "s3":
        signer = botocore.auth.S3SigV4Auth(credentials, "s3", made["region"])
    else:
        signer = botocore.auth.SigV4Auth(credentials, made["service"], made["region"])
    canonical = []
    compute = signer.canonical_request
    signer.canonical_request = lambda rq: canonical.append(compute(rq)) or canonical[0]
    signer.add_auth(request)
    return path, request.url.partition("?")[2] if is_query else request.headers["Authorization"], canonical[0]


@pytest.fixture
def clock(monkeypatch):
    now = [0]
    epoch = datetime.datetime(1970, 1, 1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *args, **kwargs: epoch + datetime.timedelta(seconds=now[0]))

    def to(now_s):
        now[0] = now_s

    return to


def ours(requests):
    text = "".join(json.dumps(made) + "\n" for made in requests)
    done = subprocess.run([str(BUILD / "conformance/sign")], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", SIZES)
def test_same_as_botocore(name, clock):
    maker = Maker(name)
    requests = [maker.request() for _ in range(SIZES[name])]
    answers = ours(requests)
    assert len(answers) == len(requests)
    seen = set()
    for number, (made, answer) in enumerate(zip(requests, answers)):
        path, signed, canonical = botocore_signs(made, clock)
        assert (answer["path"], answer["signed"]) == (path, signed), (
            f"{name} request {number}: {json.dumps(made)}\nours:\n{answer['canonical']}\nbotocore's:\n{canonical}"
        )
        seen.add(signed)
    assert len(seen) == len(requests)
    print(f"{name}: {len(requests)} requests, signed the same by aws/sigv4.c and botocore {botocore.__version__}")


def test_a_difference_is_seen(clock):
    made = Maker("s3").request()
    other = {**made, "now_s": made["now_s"] + 1}
    assert ours([made])[0]["signed"] == botocore_signs(made, clock)[1]
    assert ours([other])[0]["signed"] != botocore_signs(made, clock)[1]
