"""The functions of libpq and libcurl that the program imports, and which of them can fail."""

import subprocess

from tests.sabotage.saboteur import PROGRAM
from tests.support.vidbatch import BUILD

# Called in one file only, whose functions are made to fail in their stead: name, file, functions.
ANSWERS = "sql/db_answer.o"
STATEMENTS = ("db_answer_script", "db_answer_planned", "db_answer_prepared", "db_answer_send")
BEHIND = {
    "PQsendQuery": (ANSWERS, STATEMENTS), "PQsendQueryParams": (ANSWERS, STATEMENTS), "PQsendQueryPrepared": (ANSWERS, STATEMENTS),
    "PQsendPrepare": (ANSWERS, ("db_answer_prepare",)), "PQflush": (ANSWERS, STATEMENTS), "PQisBusy": (ANSWERS, ("db_answer_next",)),
    "PQgetResult": (ANSWERS, ("db_answer_next",)), "PQputCopyData": (ANSWERS, ("db_answer_copy_data",)),
    "PQputCopyEnd": (ANSWERS, ("db_answer_copy_end",)), "PQconsumeInput": (ANSWERS, ("db_answer_take", *STATEMENTS)),
}
# Not made to fail, for they cannot, or nobody looks.
FREES, READS, KEEPS = "it frees", "it reads what is there", "it keeps a value"
SPARED = {
    "PQclear": FREES, "PQconninfoFree": FREES, "PQfinish": FREES, "PQfreeCancel": FREES, "PQfreemem": FREES,
    "PQcmdStatus": READS, "PQcmdTuples": READS, "PQerrorMessage": READS, "PQgetisnull": READS, "PQgetlength": READS, "PQgetvalue": READS,
    "PQnfields": READS, "PQntuples": READS, "PQresultErrorField": READS, "PQresultStatus": READS, "PQsocket": READS, "PQstatus": READS,
    "PQtransactionStatus": READS,
    "PQcancel": "whoever cancels does so again and again, until the thread that waits for the statement has ended",
    "PQsetNoticeProcessor": KEEPS, "PQsetnonblocking": "it keeps a flag, and sends what waits to be sent: nothing, just after connecting",
    "curl_easy_cleanup": FREES, "curl_free": FREES, "curl_global_cleanup": FREES, "curl_multi_cleanup": FREES, "curl_slist_free_all": FREES,
    "curl_url_cleanup": FREES, "curl_multi_remove_handle": "it takes out what was put in, on the thread that did",
    "curl_easy_reset": KEEPS, "curl_multi_setopt": "it keeps a number: both options are counts of connections",
    "curl_easy_getinfo": READS, "curl_easy_strerror": READS, "curl_multi_strerror": READS,
    "curl_easy_pause": "what goes wrong in it is the transfer's result, and that is made to fail where it is read",
}
# Of those that are made to fail, these are not met in a step, but while the program starts, or while it looks for credentials.
AT_START = {"curl_global_init", "curl_multi_init"}
FOR_CREDENTIALS = {"curl_url", "curl_url_set", "curl_url_get", "curl_easy_perform"}


def symbols(file, *options):
    """Without the names of versions."""
    lines = subprocess.run(["nm", *options, file], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line and not line.endswith(":")}


def imported():
    """What vidbatchd takes from the two libraries."""
    program = BUILD / "bin/vidbatchd"
    loaded = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines()
    libraries = [line.split()[2] for line in loaded if line.split()[0].startswith(("libpq.so", "libcurl.so", "libcurl-"))]
    assert len(libraries) == 2, libraries
    return symbols(program, "-D", "--undefined-only") & set().union(*(symbols(library, "-D", "--defined-only") for library in libraries))


def wrapped():
    """What the saboteur stands before: of the two libraries, and the functions around them."""
    names = {name.removeprefix("__wrap_") for name in symbols(PROGRAM) if name.startswith("__wrap_")}
    return {name for name in names if name.startswith(("PQ", "curl_", "db_answer_"))}


def callers():
    """Of each function, the objects of the service that call it, without the build's folder."""
    folder, found = BUILD / "obj", {}
    objects = [str(path.relative_to(folder)) for top in ("server", "aws", "sql", "handlers") for path in (folder / top).rglob("*.o")]
    lines = subprocess.run(["nm", "-A", "--undefined-only", *objects], cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        found.setdefault(line.split()[-1], set()).add(line.split(":")[0])
    return found
