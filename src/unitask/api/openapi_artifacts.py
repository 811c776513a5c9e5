"""The part of the OpenAPI document about files: download, list, pin, delete, and uploads by an address of their own."""

from collections.abc import Callable
from typing import Any, Final

from unitask.api.artifacts import Announcement
from unitask.api.bucket import OwnBucket
from unitask.api.openapi_schemas import complete, ref
from unitask.api.wording import KEY
from unitask.artifacts.model import ArtifactKind
from unitask.artifacts.service import PAGE_LIMIT

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_OPEN: Final[list[Json]] = []
_KINDS: Final = [ArtifactKind.INPUT, ArtifactKind.OUTPUT]


def _path(name: str, description: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": _TEXT}


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def schemas() -> dict[str, Json]:
    """Give the schemas of a file and of an upload, by name."""
    return {
        "Artifact": complete(
            {
                "id": {**_TEXT, "format": "uuid"},
                "task_id": {"type": ["string", "null"], "description": "The task that made it; null for an input."},
                "kind": {"enum": _KINDS},
                "url": {**_TEXT, "description": "Where it can be had, without a key."},
                "content_type": _TEXT,
                "size_bytes": _NUMBER,
                "created_at": _TIME,
                "expires_at": {"type": ["string", "null"], "description": "When it is deleted; null while pinned."},
                "pinned": {"type": "boolean"},
            },
            "A stored file.",
        ),
        "Upload": complete(
            {
                "id": {**_TEXT, "format": "uuid"},
                "upload_url": {**_TEXT, "description": "Takes the file, once, from whoever knows this address."},
                "method": {"const": "PUT"},
                "headers": {"type": "object", "additionalProperties": _TEXT, "description": "To be sent with it."},
                "url": {**_TEXT, "description": "Where the file will be, and what an input names, once complete."},
                "expires_at": {**_TIME, "description": "By when the upload must be complete."},
            },
            "An upload that may begin.",
        ),
        "Verification": _verification(),
        "Bucket": complete(
            {"bucket": _TEXT, "prefix": _TEXT, "endpoint": _TEXT, "region": _TEXT, "since": _TIME},
            "The own bucket of an account; its credentials are not shown.",
        ),
    }


def _operation(name: str, summary: str, data: Json, refusals: Json, **beside: Any) -> Json:
    envelope = complete({"code": {"const": 200}, "data": data, "message": {"const": "success"}}, "An answer.")
    ok = {"description": "The answer.", "content": {"application/json": {"schema": envelope}}}
    return {"tags": ["files"], "operationId": name, "summary": summary, "responses": {"200": ok, **refusals}, **beside}


def _download(refusals: Callable[..., Json]) -> Json:
    return {
        "tags": ["files"],
        "operationId": "getFile",
        "summary": "Download a file",
        "description": "Needs no key: whoever knows the address has the file. Answers ranges. Where files lie in an "
        "object store, it sends the client on to an address that is good for a few minutes.",
        "security": _OPEN,
        "parameters": [
            _path("path", "As in the URLs of an output; may hold slashes."),
            _query("download", "`1`: browsers save the file instead of showing it.", {"enum": ["1"]}),
        ],
        "responses": {
            "200": {"description": "The file.", "content": {"*/*": {}}},
            "206": {"description": "The range that was asked for.", "content": {"*/*": {}}},
            "304": {"description": "The file has not changed since the ETag that was sent."},
            "307": {"description": "The file is under the address in `Location`; follow it at once."},
            **refusals(404, 500, 503),
        },
    }


def _verify(refusals: Callable[..., Json]) -> Json:
    return _operation(
        "verifyFile",
        "Read and check the marks of a file",
        ref("Verification"),
        refusals(400, *KEY, 404, 429, 500, 503),
        description="Says what the marks of a file say of where it comes from: one of this server, or any that can be "
        "reached by a public address. A file without marks may come from anywhere.",
        parameters=[{**_query("url", "The address of the file.", _TEXT), "required": True}],
    )


def _verification() -> Json:
    source = {"type": ["string", "null"], "description": "IPTC's name of where it comes from; null: no mark says."}
    problems = {"type": "array", "items": _TEXT, "description": "C2PA's codes of what is wrong with it."}
    manifest = {
        "type": ["object", "null"],
        "required": ["state", "is_ours", "problems"],
        "properties": {
            "state": {
                **_TEXT,
                "description": "`trusted`: signed here; `valid`: signed by another; `invalid`: changed since.",
            },
            "is_ours": {"type": "boolean", "description": "Signed by this installation, and not changed since."},
            "signer": _TEXT,
            "issuer": _TEXT,
            "signed_at": {"type": ["string", "null"]},
            "generator": {**_TEXT, "description": "The program that wrote it."},
            "actions": {"type": "array", "items": {"type": "object"}, "description": "What was done, in its order."},
            "inputs": {"type": "array", "items": {"type": "object"}, "description": "What the file was made of."},
            "problems": problems,
        },
        "description": "The C2PA manifest; null where there is none, or where it cannot be read here.",
    }
    iptc = {
        "type": ["object", "null"],
        "properties": {"digital_source_type": _TEXT},
        "description": "The IPTC mark; null where there is none.",
    }
    return complete(
        {
            "content_type": _TEXT,
            "is_generated": {"type": ["boolean", "null"], "description": "Made by a machine; null: no mark says."},
            "digital_source_type": source,
            "marks": {"type": "array", "items": {"enum": ["c2pa", "iptc"]}},
            "iptc": iptc,
            "c2pa": manifest,
            "damaged": {"type": ["string", "null"], "description": "Why the file could not be read to its end."},
            "task_id": {"type": ["string", "null"], "description": "Your task that made it; null for any other file."},
        },
        "What the marks of a file say.",
    )


def _uploads(refusals: Callable[..., Json]) -> dict[str, Json]:
    body = {"required": True, "content": {"application/json": {"schema": Announcement.model_json_schema()}}}
    file = {"required": True, "content": {"*/*": {"schema": {**_TEXT, "format": "binary"}}}}
    received = complete({"size_bytes": _NUMBER}, "What has come.")
    return {
        "/api/v1/uploads": {
            "post": _operation(
                "announceUpload",
                "Get an address that takes a large file",
                ref("Upload"),
                refusals(400, *KEY, 413, 500, 503),
                requestBody=body,
            )
        },
        "/api/v1/uploads/{upload_id}/complete": {
            "post": _operation(
                "completeUpload",
                "Have an uploaded file looked at, so that it can be an input",
                ref("Artifact"),
                refusals(400, *KEY, 404, 409, 500, 503),
                parameters=[_path("upload_id", "As `announceUpload` gave it.")],
            )
        },
        "/uploads/{token}": {
            "put": _operation(
                "sendUpload",
                "Send a large file",
                received,
                refusals(404, 409, 413, 500, 503),
                description="The `upload_url` where files lie in a folder; needs no key.",
                security=_OPEN,
                requestBody=file,
                parameters=[_path("token", "A part of `upload_url`.")],
            )
        },
    }


def _bucket(refusals: Callable[..., Json]) -> Json:
    body = {"required": True, "content": {"application/json": {"schema": OwnBucket.model_json_schema()}}}
    return {
        "get": _operation(
            "getBucket",
            "Read which own bucket outputs go to",
            {"anyOf": [ref("Bucket"), {"type": "null"}]},
            refusals(*KEY, 500, 503),
        ),
        "put": _operation(
            "setBucket",
            "Let outputs go to a bucket of your own",
            ref("Bucket"),
            refusals(400, *KEY, 413, 500, 503),
            description="A file is written, read and deleted there first. Outputs that are elsewhere stay there.",
            requestBody=body,
        ),
        "delete": _operation(
            "unsetBucket", "Let outputs go to the server's store again", {"type": "null"}, refusals(*KEY, 500, 503)
        ),
    }


def paths(refusals: Callable[..., Json]) -> dict[str, Json]:
    """Give the paths of these routes."""
    one = {"parameters": [_path("artifact_id", "The `id` of a file.")]}
    known = refusals(*KEY, 404, 500, 503)
    page = complete(
        {
            "artifacts": {"type": "array", "items": ref("Artifact")},
            "next_cursor": {"type": ["string", "null"]},
        },
        "A page of files; `next_cursor` leads to the next, null at the end.",
    )
    return {
        "/files/{path}": {"get": _download(refusals)},
        "/api/v1/artifacts": {
            "get": _operation(
                "listArtifacts",
                "List files, newest first",
                page,
                refusals(400, *KEY, 500, 503),
                parameters=[
                    _query(
                        "limit", "Files on a page.", {**_NUMBER, "minimum": 1, "maximum": PAGE_LIMIT, "default": 20}
                    ),
                    _query("cursor", "`next_cursor` of the page before.", _TEXT),
                    _query("task_id", "Only what this task has made.", _TEXT),
                    _query("kind", "Only inputs, or only outputs.", {"enum": _KINDS}),
                ],
            )
        },
        "/api/v1/artifacts/{artifact_id}": {
            "get": _operation("getArtifact", "Read about a file", ref("Artifact"), known, **one),
            "delete": _operation(
                "deleteArtifact", "Delete a file, at once and for everyone", {"type": "null"}, known, **one
            ),
        },
        "/api/v1/artifacts/{artifact_id}/pin": {
            "post": _operation(
                "pinArtifact",
                "Keep a file until it is unpinned or deleted",
                ref("Artifact"),
                refusals(*KEY, 404, 409, 500, 503),
                **one,
            ),
            "delete": _operation(
                "unpinArtifact", "Let a file expire, in a day at the earliest", ref("Artifact"), known, **one
            ),
        },
        "/api/v1/verify": {"get": _verify(refusals)},
        **_uploads(refusals),
        "/api/v1/bucket": _bucket(refusals),
    }
