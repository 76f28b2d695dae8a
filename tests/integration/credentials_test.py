"""The service's own credentials are missing or broken: that is the operator's to cure, and no client is blamed for it."""

import pytest

from tests.support.vidbatch import clip

UPLOAD = {"files": [{"name": "a.mp4"}]}


def keyless(stack, emulator, tmp_path, credentials="", **settings):
    """A service without keys of its own; `credentials`: what stands in the shared credentials file."""
    file = tmp_path / "shared credentials"
    file.write_text(credentials)
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    return stack.service(stack.database(), emulator, **{**nothing, **settings})


def judge(problem, file):
    assert problem["code"] == "no_credentials" and "operator" in problem["detail"], problem
    assert str(file) not in problem["detail"] and "/dev/null" not in problem["detail"]


@pytest.mark.parametrize(
    "credentials, settings, scan_code, logged",
    [
        ("", {}, "no_credentials", "no AWS credentials found"),
        ("", {"AWS_PROFILE": "absent"}, "bad_profile", "there is no such profile"),
        ("[default]\naws_access_key_id = AKIDHALF\n", {}, "bad_profile", "must be set together"),
    ],
)
def test_links_and_scans_without_credentials(stack, emulator, tmp_path, credentials, settings, scan_code, logged):
    service = keyless(stack, emulator, tmp_path, credentials, **settings)
    client = service.client()
    prefix = client.register("keyless/")
    judge(client.post(f"/v1/prefixes/{prefix['id']}/uploads", UPLOAD, 502).json(), tmp_path)
    assert "links.no_credentials" in service.log() and logged in service.log()
    scan = client.wait_scan(prefix["id"])["scan"]
    assert scan["state"] == "failed" and scan["error"]["code"] == scan_code and logged in scan["error"]["message"], scan


def test_content_without_credentials(stack, emulator, tmp_path):
    """A video that a service with keys found; then the keys are gone."""
    database = stack.database()
    emulator.s3().put_object(Bucket="videos", Key="found/a.mp4", Body=clip())
    able = stack.service(database, emulator)
    prefix = able.client().wait_scan(able.client().register("found/")["id"])
    (video,) = able.client().pages(f"/v1/prefixes/{prefix['id']}/videos")
    able.client().call("GET", f"/v1/videos/{video['id']}/content", 302)
    assert able.stop() == 0
    unable = stack.service(database, emulator, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    judge(unable.client().get(f"/v1/videos/{video['id']}/content", 502), tmp_path)


def test_a_bad_upload_is_still_the_clients(stack, emulator, tmp_path):
    client = keyless(stack, emulator, tmp_path).client()
    prefix = client.register("refused/")
    client.post(f"/v1/prefixes/{prefix['id']}/uploads", {"files": [{"name": "a.txt"}]}, 422)
